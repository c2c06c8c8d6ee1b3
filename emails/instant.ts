const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const

/**
 * `22 November 2026, 18:40 UTC`. Written without Intl, whose wording changes with the ICU data: a retried mail has to be byte
 * for byte the same, or the provider refuses its idempotency key.
 */
export function formatInstant(instant: Date): string {
  const [date = '', time = ''] = instant.toISOString().split('T')
  return `${instant.getUTCDate()} ${months[instant.getUTCMonth()]} ${date.slice(0, 4)}, ${time.slice(0, 5)} UTC`
}
