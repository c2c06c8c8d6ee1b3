import { vi } from 'vitest'

/** Everything that is written to the console from now on, instead of being shown. */
export function captureLog() {
  const lines: string[] = []
  for (const method of ['debug', 'log', 'info', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((...parts: unknown[]) => void lines.push(parts.map(String).join(' ')))
  }
  return {
    lines,
    // oxlint-disable-next-line no-explicit-any -- a test reads what it expects to be there
    entries: (event?: string): any[] =>
      lines.map((line) => JSON.parse(line)).filter((entry) => event === undefined || entry.event === event),
  }
}
