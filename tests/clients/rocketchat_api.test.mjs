// npm's rocketchat-api, as its README and its own tests use it: callbacks, promises, and
// restClient.request for what it has no function for. It asks for /websocket as soon as it is made,
// sends GET with a content-type, logs out by GET, and gives up after a second.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import RocketChatApi from 'rocketchat-api';
import WebSocket from 'ws';
import { Server, admin, kToken, kUserId, newUser } from './server.mjs';

let server;
let root;
const clients = [];

// The client with its socket's attempts to connect, which go on until they are stopped.
function clientOf(at, ...login) {
  const client = new RocketChatApi('http', at.host, at.port, ...login);
  clients.push(client);
  return client;
}

function connect(username, password, at = server) {
  return new Promise((resolve, reject) => {
    const client = clientOf(at, username, password, (error, data) => {
      if (error) reject(error);
      else resolve({ client, data });
    });
  });
}

// A function that takes a callback last, as a promise.
const call = (start) =>
  new Promise((resolve, reject) => {
    start((error, result) => (error ? reject(error) : resolve(result)));
  });

// A client that shows a token that somebody else made.
function holderOf({ userId, authToken }, at = server) {
  const client = clientOf(at);
  client.setAuthToken(authToken);
  client.setUserId(userId);
  return client;
}

const me = (client) => call((done) => client.authentication.me(done));
const post = (client, path, body) => client.restClient.request('POST', path, body);

before(async () => {
  server = await Server.start();
  root = (await connect(admin.username, admin.password)).client;
});
after(async () => {
  for (const client of clients) client.wsClient.disconnect();
  await server.stop();
});

test('logs in as it is made, and says who that is', async () => {
  const { client, data } = await connect(admin.username, admin.password);
  assert.match(data.userId, kUserId);
  assert.match(data.authToken, kToken);
  assert.equal(data.me.username, admin.username);
  assert.equal(client.getUserId(), data.userId);
  const body = await me(client);
  assert.equal(body.success, true);
  assert.equal(body._id, data.userId);
  assert.ok(body.roles.includes('admin'));
});

test('logs in later, by a promise, and by an address', async () => {
  await call((done) => root.users.create(newUser('later'), done));
  for (const name of ['later', 'LATER', 'later@example.com']) {
    const client = clientOf(server);
    const data = await client.login(name, newUser('later').password);
    assert.equal(data.me.username, 'later');
    assert.equal((await me(client)).username, 'later');
  }
});

test('is told of a wrong password', async () => {
  await assert.rejects(connect(admin.username, 'wrong'), /Could not login/);
  await assert.rejects(clientOf(server).login('nobody', 'wrong'), /Could not login/);
});

test('logs out, and the token is no more', async () => {
  const { client, data } = await connect(admin.username, admin.password);
  const answer = await client.logout();
  assert.equal(answer.message, "You've been logged out!");
  await assert.rejects(me(holderOf(data)), { statusCode: 401 });
});

test('makes, finds, lists, changes and deletes users', async () => {
  const fields = newUser('somebody', {
    sendWelcomeEmail: false,
    joinDefaultChannels: false,
    verified: false,
    requirePasswordChange: false,
    roles: ['user'],
  });
  const created = await call((done) => root.users.create(fields, done));
  assert.equal(created.success, true);
  const userId = created.user._id;
  assert.match(userId, kUserId);

  for (const which of [{ userId }, { username: 'somebody' }]) {
    const found = await root.users.info(which);
    assert.equal(found.success, true);
    assert.equal(found.user.username, 'somebody');
    assert.equal(found.user.name, fields.name);
    assert.equal(found.user.active, true);
  }
  await assert.rejects(root.users.info({ username: 'this user does not exist' }), {
    statusCode: 400,
    message: 'User not found.',
  });

  const all = await call((done) => root.users.list(done));
  assert.ok(all.users.some((user) => user._id === userId));
  const page = await call((done) => root.users.list(1, 1, done));
  assert.deepEqual([page.count, page.offset, page.users.length], [1, 1, 1]);
  assert.equal(page.total, all.total);

  const updated = await call((done) => root.users.update(userId, { name: 'new name' }, done));
  assert.equal(updated.success, true);
  assert.equal(updated.user.name, 'new name');

  const deleted = await call((done) => root.users.delete(userId, done));
  assert.equal(deleted.success, true);
  await assert.rejects(root.users.info({ userId }), { message: 'User not found.' });
});

test('issues a token by id and by name, and a new client uses it', async () => {
  const created = await call((done) => root.users.create(newUser('holder'), done));
  const userId = created.user._id;
  for (const which of [{ userId }, { username: 'holder' }]) {
    const issued = await root.users.createToken(which);
    assert.equal(issued.success, true);
    assert.equal(issued.data.userId, userId);
    assert.match(issued.data.authToken, kToken);
    const holder = holderOf(issued.data);
    assert.equal((await me(holder)).username, 'holder');
    await holder.logout();
    await assert.rejects(me(holderOf(issued.data)), { statusCode: 401 });
  }
});

test('is refused a token for another without the permission', async () => {
  await call((done) => root.users.create(newUser('plain'), done));
  const { client, data } = await connect('plain', newUser('plain').password);
  await assert.rejects(client.users.createToken({ username: admin.username }), {
    statusCode: 400,
    message: 'Not authorized [error-not-authorized]',
  });
  const own = await client.users.createToken({ userId: data.userId });
  assert.match(own.data.authToken, kToken);
  await assert.rejects(root.users.createToken({ username: 'nobody' }), {
    statusCode: 400,
    message: /does not match any users \[error-invalid-user\]/,
  });
});

test('deactivates a user, whose tokens end', async () => {
  const created = await call((done) => root.users.create(newUser('parted'), done));
  const userId = created.user._id;
  const { client } = await connect('parted', newUser('parted').password);
  const answer = await post(root, 'users.setActiveStatus', { userId, activeStatus: false });
  assert.deepEqual([answer.user._id, answer.user.active], [userId, false]);
  await assert.rejects(me(client), { statusCode: 401 });
  await assert.rejects(root.users.createToken({ userId }), { statusCode: 400 });
});

test('makes, lists and removes a personal access token', async () => {
  const tokenName = 'from the old client';
  const made = await post(root, 'users.generatePersonalAccessToken', { tokenName });
  assert.match(made.token, kToken);
  const holder = holderOf({ userId: root.getUserId(), authToken: made.token });
  assert.equal((await me(holder)).username, admin.username);
  const listed = await root.restClient.request('GET', 'users.getPersonalAccessTokens', null);
  const entry = listed.tokens.find((token) => token.name === tokenName);
  assert.equal(entry.lastTokenPart, made.token.slice(-6));
  const removed = await post(root, 'users.removePersonalAccessToken', { tokenName });
  assert.equal(removed.success, true);
  await assert.rejects(me(holder), { statusCode: 401 });
});

test('reads a setting and the version', async () => {
  const setting = await root.settings.get('Accounts_LoginExpiration');
  assert.deepEqual([setting._id, setting.value, setting.success], ['Accounts_LoginExpiration', 90, true]);
  // It changes settings by a GET, which reads them, in the original too.
  const updated = await root.settings.update('Accounts_LoginExpiration', 5);
  assert.equal(updated.value, 90);
  const info = await call((done) => root.miscellaneous.info(done));
  assert.equal(info.success, true);
  assert.equal(typeof info.version, 'string');
});

test('that was set up without a login is not logged in', async () => {
  await assert.rejects(me(clientOf(server)), { statusCode: 401 });
  await assert.rejects(me(holderOf({ userId: 'undefined', authToken: 'undefined' })), {
    statusCode: 401,
  });
});

test('asks for a socket and is refused at once', async () => {
  const socket = new WebSocket(`ws://${server.host}:${server.port}/websocket`);
  const begin = Date.now();
  const [error] = await once(socket, 'error');
  assert.match(error.message, /404/);
  assert.ok(Date.now() - begin < 1000);
});

test('is told to slow down, and for how long', async () => {
  const limited = await Server.start({ API_Enable_Rate_Limiter: 'true' });
  try {
    const { client: issuer } = await connect(admin.username, admin.password, limited);
    await call((done) => issuer.users.create(newUser('busy'), done));
    const { client, data } = await connect('busy', newUser('busy').password, limited);
    for (let i = 0; i < 10; ++i) await client.users.createToken({ userId: data.userId });
    await assert.rejects(client.users.createToken({ userId: data.userId }), {
      statusCode: 429,
      message: /^Error, too many requests\. Please slow down\. You must wait \d+ seconds/,
    });
    // An admin may bypass the limit.
    for (let i = 0; i < 12; ++i) await issuer.users.createToken({ username: 'busy' });
  } finally {
    for (const client of clients) {
      if (client.restClient.port === limited.port) client.wsClient.disconnect();
    }
    await limited.stop();
  }
});
