/** What the log says about the size of the database and the state of the outbox. */
import { env as bindings } from 'cloudflare:workers'
import { describe, expect } from 'vitest'
import { hour, minute } from '../support/clock.ts'
import { countCosts } from '../support/counting.ts'
import { it } from '../support/fixtures.ts'
import { captureLog } from '../support/log-lines.ts'
import { insertPasskeys } from '../support/rows.ts'
import { startService } from '../support/service.ts'
import { sizedD1 } from '../support/sized-d1.ts'
import { write } from '../support/state.ts'

const gauge = '*/10 * * * *'

const setEmails = (changes: string) => write(`update emails set ${changes}`)

describe('the gauge', () => {
  it('counts open, overdue and lately lost emails, and warns of overdue ones', async ({ service, people, clock }) => {
    await people.register('ada@example.com')
    await people.register('bob@example.com')
    const { entries } = captureLog()
    const read = async () => {
      const before = entries('gauge').length
      await service.runCron(gauge)
      return entries('gauge')[before]
    }
    const none = { mail_queued: 0, mail_sending: 0, mail_overdue: 0, mail_failed: 0, mail_unknown: 0 }
    expect(await read()).toMatchObject({ level: 'info', ...none })
    const now = clock.now().getTime()
    await setEmails(`status = 'queued', due_at = ${now}`)
    expect(await read()).toMatchObject({ level: 'info', ...none, mail_queued: 2 })
    clock.advance(5 * minute + 1)
    expect(await read()).toMatchObject({ level: 'warn', ...none, mail_queued: 2, mail_overdue: 2 })
    await setEmails(`status = 'sending', due_at = ${clock.now().getTime()}`)
    expect(await read()).toMatchObject({ level: 'info', ...none, mail_sending: 2 })
    for (const status of ['failed', 'unknown']) {
      await setEmails(`status = '${status}'`)
      expect(await read()).toMatchObject({ level: 'info', ...none, [`mail_${status}`]: 2 })
    }
    clock.advance(24 * hour)
    expect(await read()).toMatchObject({ level: 'info', ...none })
    expect(new Set(entries('job').map(({ job }) => job))).toEqual(new Set(['gauge']))
  })

  it.for([
    { size: 1_234_000_000, percent: 12.3, level: 'info' },
    { size: 7_990_000_000, percent: 79.9, level: 'info' },
    { size: 8_000_000_000, percent: 80, level: 'warn' },
    { size: 10_000_000_000, percent: 100, level: 'warn' },
  ])(
    'says how full the database is, and warns from 80 %: $percent %',
    async ({ size, percent, level }, { service }) => {
      const { entries } = captureLog()
      const sized = sizedD1(bindings.DB, { bytes: size })
      await startService({ beside: service, env: { DB: sized } }).runCron(gauge)
      expect(entries('gauge')).toMatchObject([{ level, database_bytes: size, database_percent: percent }])
    },
  )

  it('warns of passkeys of another RP ID, once for each start', async ({ service, people }) => {
    const ada = await people.signUp('ada@example.com')
    const { entries } = captureLog()
    const started = startService({ beside: service })
    await insertPasskeys([{ userId: ada.id }])
    await started.runCron(gauge)
    expect(entries('passkeys.unusable')).toEqual([])
    for (const rpId of ['a.example.com', 'z.example.com']) {
      await bindings.DB.exec('delete from passkeys')
      await insertPasskeys([{ userId: ada.id }])
      await insertPasskeys([{ userId: ada.id, rpId }])
      const other = startService({ beside: service })
      await other.runCron(gauge)
      await other.runCron(gauge)
    }
    const warning = { level: 'warn', rp_id: 'accounts.example.com' }
    expect(entries('passkeys.unusable')).toMatchObject([warning, warning])
  })

  it('reads the true size, and as few rows as it counts', async ({ service, people }) => {
    await people.register('ada@example.com')
    await service.deliver()
    const meter = countCosts(bindings)
    const { entries } = captureLog()
    await startService({ beside: service, env: meter.bindings }).runCron(gauge)
    expect(entries('gauge')[0]!['database_bytes']).toBeGreaterThan(50_000)
    const { roundTrips, rowsRead, rowsWritten } = meter.take()
    expect({ roundTrips, rowsWritten }).toEqual({ roundTrips: 1, rowsWritten: 0 })
    expect(rowsRead).toBeLessThan(10)
  })
})
