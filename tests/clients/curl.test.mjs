// curl, by the snippets that are copied from the documentation and from forums.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Server, admin, kToken, newUser } from './server.mjs';

const run = promisify(execFile);

let server;
let root;

// curl with these arguments; the path comes last, as in most snippets.
async function curl(path, ...flags) {
  const format = '\n%{http_code} %{http_version} %{content_type}';
  const { stdout } = await run('curl', [
    '-sS', '--noproxy', '*', '-m', '10', '-w', format, ...flags, server.url + path,
  ]);
  const end = stdout.lastIndexOf('\n');
  const [status, version, ...type] = stdout.slice(end + 1).split(' ');
  return { status: Number(status), version, type: type.join(' '), text: stdout.slice(0, end) };
}

async function json(path, ...flags) {
  const answer = await curl(path, ...flags);
  assert.equal(answer.type, 'application/json');
  return { ...JSON.parse(answer.text), status: answer.status, version: answer.version };
}

const asRoot = () => ['-H', `X-Auth-Token: ${root.authToken}`, '-H', `X-User-Id: ${root.userId}`];
const asJson = (body) => ['-H', 'Content-type: application/json', '-d', JSON.stringify(body)];

before(async () => {
  server = await Server.start();
  const answer = await json('/api/v1/login', '-d', `user=${admin.username}&password=${encodeURIComponent(admin.password)}`);
  assert.equal(answer.status, 200);
  root = answer.data;
});
after(() => server.stop());

test('logs in by a form and by JSON', async () => {
  const forms = [
    ['-d', `user=${admin.username}`, '--data-urlencode', `password=${admin.password}`],
    ['-d', `username=${admin.username}`, '--data-urlencode', `password=${admin.password}`],
    asJson({ user: admin.username, password: admin.password }),
    ['--json', JSON.stringify({ user: admin.username, password: admin.password })],
  ];
  for (const flags of forms) {
    const answer = await json('/api/v1/login', ...flags);
    assert.equal(answer.status, 200, JSON.stringify(flags));
    assert.match(answer.data.authToken, kToken);
    assert.equal(answer.data.me.username, admin.username);
  }
  const refused = await curl('/api/v1/login', '-d', `user=${admin.username}&password=wrong`);
  assert.deepEqual(
    [refused.status, refused.text],
    [401, '{"success":false,"error":"Unauthorized","status":"error","message":"Unauthorized"}'],
  );
});

test('issues a token by a form and by JSON', async () => {
  const { user } = await json('/api/v1/users.create', ...asRoot(), ...asJson(newUser('curled')));
  for (const flags of [
    ['-d', 'username=curled'],
    ['-d', 'user=curled'],
    ['-d', `userId=${user._id}`],
    asJson({ username: 'curled' }),
    asJson({ userId: user._id }),
    // With a method that is said as well, and a body that comes in chunks.
    ['-X', 'POST', ...asJson({ userId: user._id })],
    ['-H', 'Transfer-Encoding: chunked', ...asJson({ userId: user._id })],
    ['-H', 'Expect: 100-continue', ...asJson({ userId: user._id })],
  ]) {
    const answer = await curl('/api/v1/users.createToken', ...asRoot(), ...flags);
    assert.equal(answer.status, 200, answer.text);
    assert.match(
      answer.text,
      new RegExp(`^{"data":{"userId":"${user._id}","authToken":"[\\w-]{43}"},"success":true}$`),
    );
    const { authToken } = JSON.parse(answer.text).data;
    const holder = ['-H', `X-Auth-Token: ${authToken}`, '-H', `X-User-Id: ${user._id}`];
    assert.equal((await json('/api/v1/me', ...holder)).username, 'curled');
    await json('/api/v1/logout', '-X', 'POST', ...holder);
    assert.equal((await curl('/api/v1/me', ...holder)).status, 401);
  }
});

test('is refused with a reason', async () => {
  const stranger = await json('/api/v1/users.createToken', '-d', 'username=curled');
  assert.equal(stranger.message, 'You must be logged in to do this.');
  const nobody = await json('/api/v1/users.createToken', ...asRoot(), '-d', 'username=nobody');
  assert.deepEqual([nobody.status, nobody.errorType], [400, 'error-invalid-user']);
  const broken = await json('/api/v1/users.createToken', ...asRoot(), '-H', 'Content-Type: application/json', '-d', '{');
  assert.deepEqual([broken.status, broken.errorType], [400, 'error-invalid-json']);
  const multipart = await json('/api/v1/users.createToken', ...asRoot(), '-F', 'username=curled');
  assert.deepEqual([multipart.status, multipart.errorType], [415, 'error-unsupported-media-type']);
  const get = await json('/api/v1/users.createToken', ...asRoot());
  assert.deepEqual([get.status, get.errorType], [405, 'error-method-not-allowed']);
  const path = await json('/api/v1/users.createtoken', ...asRoot(), '-d', 'username=curled');
  assert.deepEqual([path.status, path.errorType], [404, 'error-not-found']);
});

test('a body that is too long is refused while curl still sends it', async () => {
  const body = `username=${'x'.repeat(100_000)}`;
  const answer = await json('/api/v1/users.createToken', ...asRoot(), '-d', body);
  assert.deepEqual([answer.status, answer.errorType], [413, 'error-request-too-large']);
});

test('asks for a query with -G, a head with -I, a newer and an older protocol', async () => {
  const found = await json('/api/v1/users.info', ...asRoot(), '-G', '--data-urlencode', `username=${admin.username}`);
  assert.equal(found.user._id, root.userId);
  const head = await curl('/api/v1/me', ...asRoot(), '-I');
  assert.equal(head.status, 200);
  assert.match(head.text, /^Content-Type: application\/json\r$/m);
  assert.match(head.text, /^Access-Control-Allow-Origin: \*\r$/m);
  // By an upgrade, which is not taken up.
  const newer = await json('/api/v1/me', ...asRoot(), '--http2');
  assert.deepEqual([newer.version, newer._id], ['1.1', root.userId]);
  const older = await json('/api/v1/me', ...asRoot(), '--http1.0');
  assert.equal(older._id, root.userId);
  const compressed = await json('/api/v1/me', ...asRoot(), '--compressed');
  assert.equal(compressed._id, root.userId);
});

test('follows the whole of a day of a bot', async () => {
  const { user } = await json('/api/v1/users.create', ...asRoot(), ...asJson(newUser('day.bot', { roles: ['bot'] })));
  const listed = await json('/api/v1/users.list?count=100', ...asRoot());
  assert.ok(listed.users.some(({ _id }) => _id === user._id));
  const renamed = await json('/api/v1/users.update', ...asRoot(), ...asJson({ userId: user._id, data: { name: 'Bot' } }));
  assert.equal(renamed.user.name, 'Bot');
  const made = await json('/api/v1/users.generatePersonalAccessToken', ...asRoot(), ...asJson({ tokenName: 'curl' }));
  assert.match(made.token, kToken);
  const resumed = await json('/api/v1/login', '-d', `resume=${root.authToken}`);
  assert.equal(resumed.data.authToken, root.authToken);
  const off = await json('/api/v1/users.setActiveStatus', ...asRoot(), ...asJson({ userId: user._id, activeStatus: false }));
  assert.equal(off.user.active, false);
  const gone = await json('/api/v1/users.delete', ...asRoot(), '-d', 'username=day.bot');
  assert.equal(gone.success, true);
  const { data } = await json('/api/v1/logout', ...asRoot());
  assert.equal(data.message, "You've been logged out!");
  assert.equal((await curl('/api/v1/me', ...asRoot())).status, 401);
  const again = await json('/api/v1/login', '-d', `user=${admin.username}`, '--data-urlencode', `password=${admin.password}`);
  root = again.data;
});

test('the health of the server is plain to see', async () => {
  const health = await curl('/health');
  assert.deepEqual([health.status, health.text], [200, 'ok']);
  assert.equal((await curl('/readyz')).status, 200);
  assert.equal((await json('/api/info')).success, true);
});
