/**
 * A day of strangers who call whatever needs no token, as often as they are let, with texts as long as they may be: what it
 * leaves in the database. `npm run check:flood` does it from a hundred networks and prints what each call left.
 */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { ceilings } from '../../src/config/policy.ts'
import { uuidv7 } from '../../src/crypto/random.ts'
import { Caller } from '../support/caller.ts'
import { hour } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { limitersThat } from '../support/limiters.ts'
import { captureLog } from '../support/log-lines.ts'
import { goodPassword, otherPassword } from '../support/person.ts'
import { peopleOf } from '../support/population.ts'
import { type Answer, startService } from '../support/service.ts'
import { select } from '../support/state.ts'

const hours = 24
const networks = env.FLOOD_NETWORKS
/** Alone, a network that uses up everything leaves this much. A hundred together share the budget of all strangers. */
const bytesPerNetwork = 620_000
const bytesInAll = 50_000_000

async function databaseBytes(): Promise<number> {
  return (await env.DB.prepare('select 1').run()).meta.size_after
}

interface Tally {
  calls: number
  rowsWritten: number
  statuses: Map<number, number>
}

it('a day of strangers leaves at most 620 kB for each network and 50 MB in all, whatever they call', async () => {
  // oxlint-disable-next-line no-console -- what the command is for
  const print = console.log.bind(console)
  const log = captureLog()
  const service = startService()
  const { clock, mailbox } = service
  const meter = countCosts(env)
  const queue = { MAIL_QUEUE: service.env.MAIL_QUEUE }
  const limited = startService({
    beside: service,
    env: { ...limitersThat(() => true).env, ...meter.bindings, ...queue },
  })
  const people = peopleOf(service)
  const victim = await people.signUp('victim@example.com')
  const accomplice = await people.signUp('accomplice@example.com')
  clock.advance(12 * hour)
  await service.runCron('0 * * * *')
  const before = await databaseBytes()

  let count = 0
  const unique = () => String(count++).padStart(8, '0')
  const longEmail = () => `${unique()}${'a'.repeat(52)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.com`
  const name = 'ä'.repeat(100)
  const return_to = `/account?state=${'x'.repeat(450)}`
  const tallies = new Map<string, Tally>()

  /** One call of a stranger, by a name for the table. */
  const calls: Record<string, { times: number; call: (stranger: Caller) => { answer: Promise<Answer> } }> = {
    'POST /auth/register': {
      times: 5,
      call: (stranger) =>
        stranger.register({
          email: longEmail(),
          password: goodPassword,
          first_name: name,
          last_name: name,
          locale: 'de-DE',
          return_to,
        }),
    },
    'POST /auth/resend-activation': {
      times: 13,
      call: (stranger) => stranger.call('resendActivation', { body: { email: longEmail(), return_to } }),
    },
    'POST /auth/password-reset/request': {
      times: 12,
      call: (stranger) => stranger.requestPasswordReset({ email: longEmail(), return_to }),
    },
    '… of an account': { times: 1, call: (stranger) => stranger.requestPasswordReset({ email: victim.email }) },
    'POST /auth/login, unknown': {
      times: 3,
      call: (stranger) => stranger.login({ email: longEmail(), password: otherPassword }),
    },
    '… wrong password': {
      times: 1,
      call: (stranger) => stranger.login({ email: victim.email, password: otherPassword }),
    },
    '… own account': {
      times: 2,
      call: (stranger) => stranger.login({ email: accomplice.email, password: goodPassword }),
    },
    'POST /auth/refresh': { times: 1, call: (stranger) => stranger.refresh(accomplice.refreshToken) },
    'POST /auth/logout': { times: 1, call: (stranger) => stranger.logout('x') },
    'POST /auth/activate': { times: 1, call: (stranger) => stranger.activate({ token: 'x', password: goodPassword }) },
    'POST /auth/password-reset/complete': {
      times: 1,
      call: (stranger) => stranger.completePasswordReset({ token: 'x', new_password: goodPassword }),
    },
    'GET /readyz': { times: 1, call: (stranger) => stranger.call('getReadiness') },
  }

  for (let elapsed = 0; elapsed < hours; elapsed++) {
    for (let network = 0; network < networks; network++) {
      const headers = {
        'CF-Connecting-IP': `198.18.${network}.${elapsed}`,
        'User-Agent': `${unique()} ${'u'.repeat(240)}`,
        'X-Request-Id': uuidv7(clock.now()),
      }
      const stranger = new Caller(limited, { headers })
      for (const [which, { times, call }] of Object.entries(calls)) {
        const tally = tallies.get(which) ?? { calls: 0, rowsWritten: 0, statuses: new Map<number, number>() }
        tallies.set(which, tally)
        meter.take()
        for (let time = 0; time < times; time++) {
          const { status } = await call(stranger).answer
          tally.calls++
          tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1)
        }
        tally.rowsWritten += meter.take().rowsWritten
      }
    }
    await service.deliver()
    clock.advance(hour)
    await service.runCron('0 * * * *')
    log.lines.length = 0
  }

  const bytes = (await databaseBytes()) - before
  print(describe(tallies, bytes))
  const counted = await select(
    `select count(*) as n from ceilings where length(subject) in (3, 4) and count >= (case length(subject) when 3 then ${ceilings.networkActsPerDay} else ${ceilings.networkResetsPerDay} end) and hex(subject) like 'C612%'`,
  )
  expect(counted).toMatchObject([{ n: 2 * networks }])
  const [acts] = await select(
    "select (select count(*) from users) + (select count(*) from emails where template <> 'registration') as n",
  )
  expect(acts!['n']).toBeLessThan(networks * (ceilings.networkActsPerDay + ceilings.networkResetsPerDay) + 100)
  expect(bytes).toBeLessThan(Math.min(networks * bytesPerNetwork, bytesInAll))
  expect(mailbox.mails().length).toBeGreaterThan(0)
}, 3_600_000)

function describe(tallies: ReadonlyMap<string, Tally>, bytes: number): string {
  const lines = [...tallies].map(([which, { calls, rowsWritten, statuses }]) => {
    const answers = [...statuses].map(([status, number]) => `${status} × ${number}`).join(', ')
    return `${which.padEnd(36)}${String(calls).padStart(7)}${String(rowsWritten).padStart(9)}  ${answers}`
  })
  const total = `${networks} networks, ${hours} hours: ${(bytes / 1e6).toFixed(1)} MB`
  return [`${'call'.padEnd(36)}  calls  written  answers`, ...lines, total].join('\n')
}
