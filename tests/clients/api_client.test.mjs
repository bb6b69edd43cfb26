// npm's @rocket.chat/api-client, the one that Rocket.Chat's own web client and apps use: fetch,
// paths with their version, refusals as the Response itself.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { createHash } from 'node:crypto';
import apiClient from '@rocket.chat/api-client';
import { Server, admin, kToken, kUserId, newUser } from './server.mjs';

// Made for browsers: Node has this only from 20 on.
globalThis.File ??= File;

const { RestClient } = apiClient;

let server;
let root;
let rootId;

const clientOf = (more = {}) => new RestClient({ baseUrl: server.url, ...more });

function holderOf({ userId, authToken }, more = {}) {
  return clientOf({ credentials: { 'X-User-Id': userId, 'X-Auth-Token': authToken }, ...more });
}

async function login(fields) {
  const client = clientOf();
  const answer = await client.post('/v1/login', fields);
  client.setCredentials({
    'X-User-Id': answer.data.userId,
    'X-Auth-Token': answer.data.authToken,
  });
  return { client, answer };
}

async function makeUser(username, more = {}) {
  const { user } = await root.post('/v1/users.create', newUser(username, more));
  const password = newUser(username, more).password;
  return { user, password };
}

// What was refused, as a page shows it.
async function refusal(promise) {
  const response = await promise.then(
    () => assert.fail('it was not refused'),
    (reason) => reason,
  );
  assert.ok(response instanceof Response, String(response));
  assert.equal(response.headers.get('content-type'), 'application/json');
  return { ...(await response.json()), status: response.status, headers: response.headers };
}

before(async () => {
  server = await Server.start();
  const { client, answer } = await login({ user: admin.username, password: admin.password });
  root = client;
  rootId = answer.data.userId;
});
after(() => server.stop());

test('logs in with each form of name and password', async () => {
  await makeUser('forms');
  const password = newUser('forms').password;
  const digest = createHash('sha256').update(password).digest('hex');
  for (const fields of [
    { user: 'forms', password },
    { user: 'forms@example.com', password },
    { user: { username: 'forms' }, password },
    { user: { email: 'forms@example.com' }, password },
    { username: 'forms', password },
    { email: 'forms@example.com', password },
    { user: 'forms', password: { digest, algorithm: 'sha-256' } },
  ]) {
    const { client, answer } = await login(fields);
    assert.equal(answer.status, 'success');
    assert.match(answer.data.authToken, kToken);
    assert.equal(answer.data.me.username, 'forms');
    assert.equal((await client.get('/v1/me')).username, 'forms');
  }
});

test('resumes with its token, which stays the same', async () => {
  const { answer } = await login({ user: admin.username, password: admin.password });
  const resumed = await login({ resume: answer.data.authToken });
  assert.equal(resumed.answer.data.authToken, answer.data.authToken);
  assert.equal(resumed.answer.data.userId, rootId);
  assert.equal((await resumed.client.get('/v1/me'))._id, rootId);
});

test('is told of a wrong password and of a wrong token alike', async () => {
  for (const fields of [
    { user: admin.username, password: 'wrong' },
    { user: 'nobody', password: 'wrong' },
    { resume: 'x'.repeat(43) },
  ]) {
    const refused = await refusal(clientOf().post('/v1/login', fields));
    assert.deepEqual([refused.status, refused.error, refused.message], [401, 'Unauthorized', 'Unauthorized']);
  }
});

test('logs out with neither body nor fields, and is a stranger then', async () => {
  const { client } = await login({ user: admin.username, password: admin.password });
  const answer = await client.post('/v1/logout');
  assert.deepEqual(answer, {
    status: 'success',
    data: { message: "You've been logged out!" },
  });
  const refused = await refusal(client.get('/v1/me'));
  assert.deepEqual(
    [refused.status, refused.success, refused.message],
    [401, false, 'You must be logged in to do this.'],
  );
  assert.equal((await refusal(clientOf().get('/v1/me'))).status, 401);
});

test('makes a user with all the fields of the form of the original', async () => {
  const { user } = await makeUser('new.user', {
    roles: ['user'],
    active: true,
    verified: true,
    joinDefaultChannels: true,
    requirePasswordChange: false,
    sendWelcomeEmail: false,
    setRandomPassword: false,
    statusText: '',
    nickname: '',
    bio: '',
    customFields: {},
  });
  assert.match(user._id, kUserId);
  assert.deepEqual(user.emails, [{ address: 'new.user@example.com', verified: true }]);
  assert.deepEqual(user.roles, ['user']);
  assert.equal(user.type, 'user');
  assert.ok(!Number.isNaN(Date.parse(user.createdAt)));
});

test('finds and lists users by a query', async () => {
  const { user } = await makeUser('Ünïcode.用户');
  for (const params of [{ userId: user._id }, { username: 'Ünïcode.用户' }, { username: 'ünïcode.用户' }]) {
    const found = await root.get('/v1/users.info', params);
    assert.equal(found.user._id, user._id);
  }
  const refused = await refusal(root.get('/v1/users.info', { username: 'a b&c=d' }));
  assert.deepEqual([refused.status, refused.error], [400, 'User not found.']);

  const list = await root.get('/v1/users.list', {
    count: 2,
    offset: 1,
    sort: JSON.stringify({ username: 1 }),
    query: JSON.stringify({}),
  });
  assert.deepEqual([list.users.length, list.count, list.offset], [2, 2, 1]);
  assert.ok(list.total >= 3);
});

test('issues a token, which another client uses', async () => {
  const { user } = await makeUser('issued');
  for (const params of [{ userId: user._id }, { username: 'issued' }, { user: 'issued' }]) {
    const answer = await root.post('/v1/users.createToken', params);
    assert.deepEqual(Object.keys(answer), ['data', 'success']);
    assert.equal(answer.data.userId, user._id);
    const holder = holderOf(answer.data);
    assert.equal((await holder.get('/v1/me')).username, 'issued');
    await holder.post('/v1/logout', {});
    assert.equal((await refusal(holder.get('/v1/me'))).status, 401);
  }
});

test('with the secret issues only with it', async () => {
  const guarded = await Server.start({ CREATE_TOKENS_FOR_USERS_SECRET: 'the secret' });
  try {
    const client = new RestClient({ baseUrl: guarded.url });
    const { data } = await client.post('/v1/login', {
      user: admin.username,
      password: admin.password,
    });
    client.setCredentials({ 'X-User-Id': data.userId, 'X-Auth-Token': data.authToken });
    const { userId } = data;
    const answer = await client.post('/v1/users.createToken', { userId, secret: 'the secret' });
    assert.match(answer.data.authToken, kToken);
    for (const params of [{ userId }, { userId, secret: 'another' }]) {
      const refused = await refusal(client.post('/v1/users.createToken', params));
      assert.deepEqual([refused.status, refused.errorType], [400, 'error-not-authorized']);
    }
  } finally {
    await guarded.stop();
  }
});

test('is refused what it may not, and can tell why', async () => {
  const { password } = await makeUser('humble');
  const { client } = await login({ user: 'humble', password });
  const issue = await refusal(client.post('/v1/users.createToken', { userId: rootId }));
  assert.deepEqual([issue.status, issue.errorType], [400, 'error-not-authorized']);
  const create = await refusal(client.post('/v1/users.create', newUser('never')));
  assert.equal(create.status, 400);
  assert.match(create.error, /\[error-action-not-allowed\]$/);
  const remove = await refusal(client.post('/v1/users.delete', { userId: rootId }));
  assert.deepEqual([remove.status, remove.success], [403, false]);
  const missing = await refusal(root.post('/v1/users.createToken', {}));
  assert.equal(missing.errorType, 'error-user-param-not-provided');
  const unknown = await refusal(root.get('/v1/rooms.get'));
  assert.equal(unknown.status, 404);
});

test('asks nobody for a second factor that is not demanded', async () => {
  const client = clientOf();
  client.handleTwoFactorChallenge(() => assert.fail('a second factor was asked for'));
  const refused = await refusal(client.post('/v1/login', {}));
  assert.equal(refused.status, 400);
  // What the web client sends along once it has asked.
  const { answer } = await login({ user: admin.username, password: admin.password });
  const holder = holderOf(answer.data, {
    headers: { 'x-2fa-code': '123456', 'x-2fa-method': 'totp', 'X-Requested-With': 'XMLHttpRequest' },
  });
  assert.equal((await holder.get('/v1/me'))._id, rootId);
});

test('changes a user, and its state', async () => {
  const { user, password } = await makeUser('changing');
  const updated = await root.post('/v1/users.update', {
    userId: user._id,
    data: { name: 'Changed', email: 'changed@example.com', roles: ['user', 'bot'], password: '', verified: true },
  });
  assert.equal(updated.user.name, 'Changed');
  assert.deepEqual(updated.user.emails, [{ address: 'changed@example.com', verified: true }]);
  assert.deepEqual([...updated.user.roles].sort(), ['bot', 'user']);

  const { client } = await login({ user: 'changed@example.com', password });
  const off = await root.post('/v1/users.setActiveStatus', {
    userId: user._id,
    activeStatus: false,
    confirmRelinquish: false,
  });
  assert.deepEqual([off.success, off.user.active], [true, false]);
  assert.equal((await refusal(client.get('/v1/me'))).status, 401);
  const refused = await refusal(clientOf().post('/v1/login', { user: 'changing', password }));
  assert.deepEqual([refused.status, refused.error], [401, 'error-user-is-not-activated']);
  await root.post('/v1/users.setActiveStatus', { userId: user._id, activeStatus: true });
  await login({ user: 'changing', password });
});

test('a new password ends the other tokens', async () => {
  const { user, password } = await makeUser('repass');
  const { client } = await login({ user: 'repass', password });
  await root.post('/v1/users.update', { userId: user._id, data: { password: 'another one' } });
  assert.equal((await refusal(client.get('/v1/me'))).status, 401);
  await login({ user: 'repass', password: 'another one' });
});

test('manages personal access tokens', async () => {
  const tokenName = 'a machine';
  const made = await root.post('/v1/users.generatePersonalAccessToken', {
    tokenName,
    bypassTwoFactor: true,
  });
  assert.match(made.token, kToken);
  const again = await refusal(root.post('/v1/users.generatePersonalAccessToken', { tokenName }));
  assert.match(again.error, /\[error-token-already-exists\]$/);
  const { tokens } = await root.get('/v1/users.getPersonalAccessTokens');
  const [entry] = tokens.filter(({ name }) => name === tokenName);
  assert.deepEqual(
    [entry.lastTokenPart, entry.bypassTwoFactor],
    [made.token.slice(-6), true],
  );
  const renewed = await root.post('/v1/users.regeneratePersonalAccessToken', { tokenName });
  assert.equal(
    (await refusal(holderOf({ userId: rootId, authToken: made.token }).get('/v1/me'))).status,
    401,
  );
  const holder = holderOf({ userId: rootId, authToken: renewed.token });
  assert.equal((await holder.get('/v1/me'))._id, rootId);
  assert.deepEqual(await root.post('/v1/users.removePersonalAccessToken', { tokenName }), {
    success: true,
  });
  assert.equal((await refusal(holder.get('/v1/me'))).status, 401);
});

test('ends other sessions and keeps its own', async () => {
  const { user, password } = await makeUser('sessions');
  const one = (await login({ user: 'sessions', password })).client;
  const two = (await login({ user: 'sessions', password })).client;
  const kept = await one.post('/v1/users.logoutOtherClients', {});
  assert.equal(kept.token, one.getCredentials()['X-Auth-Token']);
  assert.ok(Date.parse(kept.tokenExpires) > Date.now());
  assert.equal((await refusal(two.get('/v1/me'))).status, 401);
  const three = (await login({ user: 'sessions', password })).client;
  assert.deepEqual(await one.post('/v1/users.removeOtherTokens', {}), { success: true });
  assert.equal((await refusal(three.get('/v1/me'))).status, 401);
  await root.post('/v1/users.logout', { userId: user._id });
  assert.equal((await refusal(one.get('/v1/me'))).status, 401);
});

test('reads and changes permissions and roles', async () => {
  const { update } = await root.get('/v1/permissions.listAll');
  const issuing = update.find(({ _id }) => _id === 'user-generate-access-token');
  assert.deepEqual(issuing.roles, ['admin']);
  assert.ok(!Number.isNaN(Date.parse(issuing._updatedAt)));
  // Asked for by date, as the web client does when it comes back.
  await root.get('/v1/permissions.listAll', { updatedSince: new Date(0).toISOString() });

  const { roles } = await root.get('/v1/roles.list');
  assert.ok(roles.some(({ _id }) => _id === 'bot'));
  const { password } = await makeUser('minter');
  const { client } = await login({ user: 'minter', password });
  const issue = () => client.post('/v1/users.createToken', { userId: rootId });
  assert.equal((await refusal(issue())).status, 400);

  const added = await root.post('/v1/roles.addUserToRole', { roleId: 'bot', username: 'minter' });
  assert.equal(added.role._id, 'bot');
  const changed = await root.post('/v1/permissions.update', {
    permissions: [{ _id: 'user-generate-access-token', roles: ['admin', 'bot'] }],
  });
  assert.deepEqual(
    changed.permissions.find(({ _id }) => _id === 'user-generate-access-token').roles.sort(),
    ['admin', 'bot'],
  );
  assert.equal((await issue()).success, true);
  await root.post('/v1/roles.removeUserFromRole', { roleId: 'bot', username: 'minter' });
  assert.equal((await refusal(issue())).status, 400);
});

test('reads and changes a setting', async () => {
  const path = '/v1/settings/Accounts_LoginExpiration';
  assert.equal((await root.get(path)).value, 90);
  assert.equal((await root.post(path, { value: 30 })).success, true);
  assert.equal((await root.get(path)).value, 30);
  await root.post(path, { value: 90 });
});

test('goes through a middleware, as apps add one', async () => {
  const { answer } = await login({ user: admin.username, password: admin.password });
  const client = holderOf(answer.data);
  const seen = [];
  client.use(async (request, next) => {
    seen.push(request[0]);
    return next(...request);
  });
  await client.get('/v1/me');
  assert.deepEqual(seen, ['/v1/me']);
});

test('reads the state of the rate limit, and when it may go on', async () => {
  const limited = await Server.start({ API_Enable_Rate_Limiter: 'true' });
  try {
    const client = new RestClient({ baseUrl: limited.url });
    const { data } = await client.post('/v1/login', {
      user: admin.username,
      password: admin.password,
    });
    client.setCredentials({ 'X-User-Id': data.userId, 'X-Auth-Token': data.authToken });
    const fields = newUser('busy');
    await client.post('/v1/users.create', fields);
    const own = await client.post('/v1/users.createToken', { username: 'busy' });
    client.setCredentials({ 'X-User-Id': own.data.userId, 'X-Auth-Token': own.data.authToken });
    const issue = () => client.post('/v1/users.createToken', { userId: own.data.userId });
    for (let i = 0; i < 10; ++i) await issue();
    const refused = await refusal(issue());
    assert.equal(refused.status, 429);
    assert.match(refused.error, /^Error, too many requests\..* \[error-too-many-requests\]$/);
    assert.equal(refused.headers.get('x-ratelimit-limit'), '10');
    assert.equal(refused.headers.get('x-ratelimit-remaining'), '0');
    assert.ok(Number(refused.headers.get('x-ratelimit-reset')) > Date.now());
    // Reading is not limited.
    assert.equal((await client.get('/v1/me')).username, 'busy');
  } finally {
    await limited.stop();
  }
});
