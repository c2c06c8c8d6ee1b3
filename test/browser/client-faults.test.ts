/**
 * The client in browsers whose every part fails in turn: storage, locks, channels, network, clock, and the tab itself.
 * `test/client/faults.test.ts` does the same in more detail with stand-ins for them.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { build } from 'esbuild'
import { projectRoot } from '../../tools/wrangler.ts'
import { DevServer } from '../e2e/support/dev-server.ts'
import { goodPassword } from '../support/passwords.ts'
import type { Row, dieDuringRefresh, interrupt, seenByNext, tryFaults, waitForTurn } from './support/client-trials.ts'
import { type Pages, inPage, openChromium, openFirefox } from './support/pages.ts'

const transports = ['bearer', 'cookie'] as const

const rows: Row[] = [
  { operation: 'localStorage', failures: ['throws', 'does nothing'], during: 'the start', codes: ['invalid_token'] },
  { operation: 'locks', failures: ['throws', 'does nothing'], during: 'the start' },
  { operation: 'channel', failures: ['throws'], during: 'the start' },
  { operation: 'channel listener', failures: ['throws'], during: 'the start' },
  { operation: 'getItem', failures: ['throws'], during: 'a visit' },
  { operation: 'setItem', failures: ['throws', 'does nothing'], during: 'a visit' },
  { operation: 'lock request', failures: ['throws', 'rejects', 'is stolen'], during: 'a visit' },
  { operation: 'channel message', failures: ['throws'], during: 'a visit' },
  {
    operation: 'fetch',
    failures: ['rejects', 'loses the answer', 'breaks off'],
    during: 'a visit',
    codes: ['network_error'],
  },
  { operation: 'getItem', failures: ['throws'], during: 'a sign-in' },
  { operation: 'setItem', failures: ['throws', 'does nothing'], during: 'a sign-in' },
  { operation: 'removeItem', failures: ['throws', 'does nothing'], during: 'a sign-in' },
  { operation: 'channel end', failures: ['throws'], during: 'a sign-in' },
  { operation: 'digest', failures: ['rejects'], during: 'a sign-in' },
]
/** The cookie transport has nothing to remove. */
const unused = 'cookie removeItem'

const interruptions = {
  abort: 'calls may be aborted at any time, and reject with the reason',
  ahead: 'the clock may be set an hour ahead at any time',
  back: 'the clock may be set an hour back at any time',
} as const

/** Where a tab is closed during a refresh. */
const closings = [
  ['before the request is sent', 'fetch', 'dies before'],
  ['after the service has answered', 'fetch', 'dies after'],
  ['before the tokens are stored', 'setItem', 'dies before'],
  ['after the tokens are stored', 'setItem', 'dies after'],
] as const

let server: DevServer
let script: string
before(async () => {
  server = await DevServer.start()
  const result = await build({
    entryPoints: [join(projectRoot, 'test/browser/support/client-trials.ts')],
    bundle: true,
    format: 'iife',
    globalName: 'trials',
    footer: { js: 'Object.assign(globalThis, { trials })' },
    write: false,
  })
  script = result.outputFiles[0]?.text ?? ''
})
after(() => server?.stop())

const browsers = { Chromium: openChromium, Firefox: openFirefox }

describe('no session is lost, and no call rejects with what a browser threw', { concurrency: 2 }, () => {
  for (const [name, open] of Object.entries(browsers)) {
    // Tests of one browser share its storage, so they take turns; without this they would inherit the other setting.
    describe(`in ${name}`, { concurrency: 1, timeout: 600_000 }, () => {
      const person = { email: `${name.toLowerCase()}@example.com`, password: goodPassword }
      let browser: Pages
      before(async () => {
        await server.signUp(person)
        browser = await open(`${server.origin}/reset-password`, script)
      })
      after(() => browser?.close())

      for (const transport of transports) {
        for (const row of rows) {
          const { operation, during } = row
          it(`${operation} may fail at any time during ${during} (${transport})`, async () => {
            const { faults, count } = await inPage(browser, (page) =>
              page.call<typeof tryFaults>('tryFaults', transport, row, person),
            )
            assert.deepEqual(faults, [])
            assert.ok(count > 0 || unused === `${transport} ${operation}`, 'the client made no such call')
          })
        }

        for (const [how, title] of Object.entries(interruptions)) {
          it(`${title} (${transport})`, async () => {
            const { faults, count } = await inPage(browser, (page) =>
              page.call<typeof interrupt>('interrupt', how as never, transport, person, 19),
            )
            assert.deepEqual(faults, [])
            assert.ok(count > 1, `${count} interruptions`)
          })
        }

        for (const [when, operation, failure] of closings) {
          it(`the tab that refreshes may be closed ${when} (${transport})`, async () => {
            const fault = { operation, failure, from: 0, isLasting: false }
            const faults = await inPage(browser, async (next) => {
              await inPage(browser, async (closed) => {
                const aheadMs = await closed.call<typeof dieDuringRefresh>('dieDuringRefresh', transport, fault, person)
                await next.call<typeof waitForTurn>('waitForTurn', transport, aheadMs, person)
              })
              return next.call<typeof seenByNext>('seenByNext')
            })
            assert.deepEqual(faults, [])
          })
        }
      }
    })
  }
})
