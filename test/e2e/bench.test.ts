/** `npm run bench` with short rounds. The figures of docs/performance.md are from longer ones. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { type RequestListener, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readOptions } from '../../tools/bench/arguments.ts'
import { runLoad } from '../../tools/bench/load.ts'
import { projectRoot } from '../../tools/wrangler.ts'
import { CommandProcess } from './support/command-process.ts'
import { section } from './support/documents.ts'

test('a part or a number that the benchmark does not know is refused', () => {
  assert.deepEqual(readOptions(['--only', 'verify,me']).only, ['verify', 'me'])
  for (const args of [
    ['--only=x'],
    ['--only='],
    ['--profile=start'],
    ['--seconds=0'],
    ['--seconds=x'],
    ['--rounds=1.5'],
  ]) {
    assert.throws(() => readOptions(args), { name: 'Stop' }, args[0])
  }
})

test('an answer with another status ends the benchmark', async () => {
  await assert.rejects(
    loadOn((_, response) => send(response, 401, 'expired')),
    {
      name: 'Stop',
      message: 'a call: 401 instead of 200: expired',
    },
  )
})

test('clients that are turned away are counted, and not as answers', async () => {
  let requests = 0
  const taken = await loadOn((_, response) => send(response, requests++ === 0 ? 503 : 200, ''), 503)
  assert.equal(taken.turnedAway, 1)
  assert.equal(taken.latencies.length, requests - 1)
})

test('an answer whose length is not known ends the benchmark', async () => {
  await assert.rejects(
    loadOn((_, response) => response.writeHead(200).end('chunk')),
    { name: 'Stop' },
  )
})

test('an answer that comes in two pieces is read as one', async () => {
  const bodies: string[] = []
  await loadOn(
    (_, response) => {
      response.writeHead(200, { 'Content-Length': 4 }).write('on')
      setTimeout(() => response.end('ce'), 20)
    },
    undefined,
    (body) => bodies.push(body),
  )
  assert.deepEqual(new Set(bodies), new Set(['once']))
})

test(
  'each call is compared with what docs/performance.md compares it with, and nothing is left behind',
  { timeout: 300_000 },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-'))
    t.after(() => rmSync(folder, { recursive: true }))
    // Without the peer, which would be installed.
    const only = 'verify,again,me,refresh,login,beside,start'
    const args = ['--only', only, '--seconds', '0.1', '--rounds', '1']
    const command = new CommandProcess('tools/bench.ts', { TMPDIR: folder }, args)
    assert.equal(await command.exitCode(), 0, command.output)
    for (const heading of ['Ratios', 'Calls', 'Beside sign-ins', 'Start']) {
      const [, printed = ''] = command.output.split(`### ${heading}\n`)
      const names = firstCells(printed.split('\n### ')[0] ?? '')
      assert.ok(names.length > 1, command.output)
      const documented = firstCells(section('docs/performance.md', heading)).filter((name) => !name.includes('Better'))
      assert.deepEqual(names, documented, heading)
    }
    assert.doesNotMatch(command.output, /undefined|Infinity/)
    if (process.platform === 'linux') assert.doesNotMatch(command.output, /NaN/)
    const left = readdirSync(folder).filter((name) => name.startsWith('postern-'))
    assert.deepEqual(left, [])
  },
)

test('the lock file of the peer has the exact versions that are asked for, and no address of a registry', () => {
  const folder = join(projectRoot, 'tools/bench/peer')
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8')
  for (const [name, version] of Object.entries(dependencies)) {
    assert.equal(JSON.parse(lock).packages[`node_modules/${name}`].version, version)
  }
  assert.doesNotMatch(lock, /"resolved"/)
})

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'Content-Length': body.length }).end(body)
}

/** Sends requests for a moment, one after the other. */
async function loadOn(listener: RequestListener, busyStatus?: number, answered: (body: string) => void = () => {}) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    const clients = [{ next: () => 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', answered }]
    const load = { name: 'a call', port, status: 200, clients, ...(busyStatus !== undefined && { busyStatus }) }
    return await runLoad(load, 0.1)
  } finally {
    server.close()
  }
}

function firstCells(markdown: string): string[] {
  return Array.from(markdown.matchAll(/^\| ([^|]+?) +\|/gm), ([, name = '']) => name)
}
