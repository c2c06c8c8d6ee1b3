/** Fires Cron Triggers on a developer's machine, because `wrangler dev` fires none. */
export function startSchedule(crons: readonly string[], fire: (cron: string) => Promise<void>): () => void {
  let timer: NodeJS.Timeout
  function tick(): void {
    const now = new Date()
    for (const cron of crons) if (isDue(cron, now)) void fire(cron)
    wait()
  }
  function wait(): void {
    // Waits for the start of the next minute, so that the ticks do not drift.
    timer = setTimeout(tick, 60_000 - (Date.now() % 60_000) + 50)
  }
  wait()
  return () => clearTimeout(timer)
}

/** Whether a cron expression of five fields matches this minute (in UTC, as at Cloudflare). */
export function isDue(cron: string, at: Date): boolean {
  const [minute, hour, day, month, weekday] = cron.trim().split(/\s+/)
  return (
    matches(minute, at.getUTCMinutes(), 0) &&
    matches(hour, at.getUTCHours(), 0) &&
    matches(day, at.getUTCDate(), 1) &&
    matches(month, at.getUTCMonth() + 1, 1) &&
    // Cloudflare numbers the days of the week from 1, Sunday.
    matches(weekday, at.getUTCDay() + 1, 1)
  )
}

/** Matches one field: `*`, `5` or `1-5`, each with an optional step (`0-30/10`), or a comma-separated list of these. */
function matches(field: string | undefined, value: number, least: number): boolean {
  return (field ?? '').split(',').some((part) => {
    const [range = '', step = '1'] = part.split('/')
    const [from, to] = range === '*' ? [least, Infinity] : bounds(range, part.includes('/'))
    return value >= from && value <= to && (value - from) % Number(step) === 0
  })
}

function bounds(range: string, hasStep: boolean): [number, number] {
  const [from = NaN, to] = range.split('-').map(Number)
  return [from, to ?? (hasStep ? Infinity : from)]
}
