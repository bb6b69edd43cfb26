// tokend's job on Node, as one would write it with care: POST /api/v1/users.createToken
// authenticates the caller, mints a token, keeps its SHA-256 and answers once that is durable.
// Requests that wait are made durable together, which is what makes it fast.
//
//   node server.js sqlite|log DIRECTORY USERS-FILE
//
// sqlite: one transaction for all that wait, WAL, synchronous=FULL. log: one appended write and one
// fdatasync for all that wait; what comes meanwhile makes the next. USERS-FILE has lines of
// `USERID [USERNAME]`; the caller is PEER_USER_ID with PEER_TOKEN.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const fastify = require('fastify');

const TOKEN_LIFETIME_MS = 90 * 24 * 3600 * 1000;
const WAITING_MAX = 16384; // beyond it the answer is 503

const digestOf = (text) => crypto.createHash('sha256').update(text).digest();

// Each store has commit(records, done); done(error) comes when they are durable.
class SqliteStore {
  constructor(directory) {
    const Database = require('better-sqlite3');
    this.database = new Database(path.join(directory, 'tokens.sqlite'));
    this.database.pragma('journal_mode = WAL');
    this.database.pragma('synchronous = FULL');
    this.database.exec('CREATE TABLE IF NOT EXISTS tokens (id INTEGER PRIMARY KEY, ' +
      'digest BLOB NOT NULL, user TEXT NOT NULL, issuer TEXT NOT NULL, expires INTEGER NOT NULL)');
    const insert = this.database.prepare(
      'INSERT INTO tokens (digest, user, issuer, expires) VALUES (?, ?, ?, ?)');
    this.insertAll = this.database.transaction((records) => {
      for (const record of records) {
        insert.run(record.digest, record.user, record.issuer, record.expires);
      }
    });
  }

  commit(records, done) {
    try {
      this.insertAll(records);
    } catch (error) {
      return done(error);
    }
    done(null);
  }
}

class LogStore {
  constructor(directory) {
    this.file = fs.openSync(path.join(directory, 'tokens.log'), 'a');
  }

  commit(records, done) {
    let text = '';
    for (const { digest, user, issuer, expires } of records) {
      text += `${digest.toString('base64url')} ${user} ${issuer} ${expires}\n`;
    }
    const bytes = Buffer.from(text);
    fs.write(this.file, bytes, (error, written) => {
      if (error || written !== bytes.length) return done(error ?? new Error('a short write'));
      fs.fdatasync(this.file, done);
    });
  }
}

const [kind, directory, usersFile] = process.argv.slice(2);
const stores = { sqlite: SqliteStore, log: LogStore };
if (!stores[kind] || !usersFile || !process.env.PEER_USER_ID || !process.env.PEER_TOKEN) {
  console.error('usage: PEER_USER_ID=ID PEER_TOKEN=TOKEN node server.js sqlite|log DIRECTORY USERS');
  process.exit(64);
}
const store = new stores[kind](directory);
const users = new Set(fs.readFileSync(usersFile, 'utf8').split('\n').filter(Boolean)
  .map((line) => line.split(' ')[0]));
// What the cache of a server that has been running for a while holds.
const callers = new Map([[process.env.PEER_USER_ID, digestOf(process.env.PEER_TOKEN)]]);

let waiting = [];
let committing = false;
let failed = false;

function commit() {
  const batch = waiting;
  waiting = [];
  store.commit(batch, (error) => {
    committing = false;
    // What the disk holds is not known any more: nothing is acknowledged from now on.
    if (error) failed = true;
    for (const record of batch) {
      if (failed) {
        record.reply.code(503).send({ success: false, error: 'not durable' });
      } else {
        record.reply.send({
          data: { userId: record.user, authToken: record.token }, success: true,
        });
      }
    }
    schedule();
  });
}

// At the end of the turn, so that all that this turn read goes together.
function schedule() {
  if (committing || waiting.length === 0) return;
  committing = true;
  setImmediate(commit);
}

const server = fastify({ logger: false, keepAliveTimeout: 0 });

server.post('/api/v1/users.createToken', {
  schema: {
    body: { type: 'object', properties: { userId: { type: 'string' } }, required: ['userId'] },
    response: {
      200: {
        type: 'object',
        properties: {
          data: {
            type: 'object',
            properties: { userId: { type: 'string' }, authToken: { type: 'string' } },
          },
          success: { type: 'boolean' },
        },
      },
    },
  },
}, (request, reply) => {
  const issuer = request.headers['x-user-id'];
  const token = request.headers['x-auth-token'];
  const expected = callers.get(issuer);
  if (!expected || !token || !crypto.timingSafeEqual(expected, digestOf(token))) {
    return reply.code(401).send({ status: 'error', message: 'You must be logged in to do this.' });
  }
  const user = request.body.userId;
  if (!users.has(user)) return reply.code(400).send({ success: false, error: 'not authorized' });
  if (failed || waiting.length >= WAITING_MAX) {
    return reply.code(503).send({ success: false, error: 'unavailable' });
  }
  const minted = crypto.randomBytes(32).toString('base64url');
  waiting.push({
    reply, user, issuer, token: minted, digest: digestOf(minted),
    expires: Date.now() + TOKEN_LIFETIME_MS,
  });
  schedule();
});

// Every answer that left was durable: there is nothing to do at the end.
process.on('SIGTERM', () => process.exit(0));
server.listen({ host: '127.0.0.1', port: 0 }).then((address) => {
  console.log(`listening on ${address.replace('http://', '')}`);
});
