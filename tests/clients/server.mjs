// A tokend of a test's own on a port of the system's choice. TOKEND names the program.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import assert from 'node:assert/strict';

export const admin = { username: 'root.admin', password: 'correct horse battery' };
const kStartTimeoutMs = 30_000;

export class Server {
  #child;
  #directory;
  #log = '';

  // `environment` is added to what every test needs.
  static async start(environment = {}) {
    const server = new Server();
    server.#directory = await mkdtemp(join(tmpdir(), 'tokend-clients-'));
    const flags = ['--listen', '127.0.0.1:0', '--data', join(server.#directory, 'data')];
    server.#child = spawn(process.env.TOKEND, flags, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ADMIN_USERNAME: admin.username,
        ADMIN_PASS: admin.password,
        ADMIN_EMAIL: 'root@example.com',
        CREATE_TOKENS_FOR_USERS: 'true',
        API_Enable_Rate_Limiter: 'false',
        ...environment,
      },
    });
    server.#child.stderr.on('data', (bytes) => (server.#log += bytes));
    const timer = setTimeout(() => server.#child.kill('SIGKILL'), kStartTimeoutMs);
    for await (const line of createInterface({ input: server.#child.stdout })) {
      const found = /^listening on (.*):(\d+)$/.exec(line);
      if (!found) continue;
      [, server.host, server.port] = found;
      break;
    }
    clearTimeout(timer);
    assert.ok(server.port, `${process.env.TOKEND} did not start:\n${server.#log}`);
    return server;
  }

  get url() {
    return `http://${this.host}:${this.port}`;
  }

  async stop() {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [code] = await ended;
    await rm(this.#directory, { recursive: true });
    assert.equal(code, 0, `tokend ended with ${code}:\n${this.#log}`);
  }
}

// A user's fields as the documentation's samples have them.
export function newUser(username, more = {}) {
  return {
    email: `${username}@example.com`,
    name: `Name of ${username}`,
    password: `password of ${username}`,
    username,
    ...more,
  };
}

export const kToken = /^[A-Za-z0-9_-]{43}$/;
export const kUserId = /^[A-Za-z0-9]{17}$/;
