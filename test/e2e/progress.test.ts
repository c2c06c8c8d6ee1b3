/** What a long command shows meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { showProgress, whileSaying } from '../../tools/progress.ts'

function screen(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, written, write: (text: string) => void written.push(text) }
}

test('a terminal gets one bar that fills, and a clear line at the end', () => {
  const terminal = screen(true)
  const progress = showProgress('Seeding', 1000, terminal)
  for (let done = 0; done < 1000; done++) progress.update(done)
  progress.end()
  assert.equal(terminal.written.length, 101)
  assert.match(terminal.written[50] ?? '', /^\rSeeding \[█{15} {15}\] 50 %$/)
  assert.match(terminal.written.at(-1) ?? '', /^\r +\r$/)
})

test('a pipe gets a line every five seconds, and none for what is short', () => {
  const pipe = screen(false)
  let now = 0
  const progress = showProgress('Seeding', 200, pipe, () => now)
  for (let done = 0; done < 200; done++) {
    progress.update(done)
    now += 100
  }
  progress.end()
  assert.deepEqual(
    pipe.written,
    [50, 100, 150].map((done) => `Seeding: ${done} of 200, ${done / 2} %\n`),
  )
  const short = screen(false)
  const other = showProgress('Seeding', 10, short, () => 0)
  for (let done = 0; done < 10; done++) other.update(done)
  other.end()
  assert.deepEqual(short.written, [])
})

test('something without a known end says that it still goes on, and gives its result', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval', 'Date'] })
  const said = context.mock.method(console, 'log', () => undefined)
  const { promise, resolve } = Promise.withResolvers<string>()
  const waiting = whileSaying('Still starting …', promise)
  for (let second = 0; second < 11; second++) context.mock.timers.tick(1_000)
  resolve('done')
  assert.equal(await waiting, 'done')
  context.mock.timers.tick(60_000)
  assert.deepEqual(
    said.mock.calls.map(({ arguments: [line] }) => line),
    ['Still starting … (5 s)', 'Still starting … (10 s)'],
  )
})
