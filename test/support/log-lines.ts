import { vi } from 'vitest'

export interface LogEntry {
  level: string
  event: string
  [field: string]: unknown
}

/** Everything that is written to the console from now on, instead of being shown. */
export function captureLog() {
  const lines: string[] = []
  for (const method of ['debug', 'log', 'info', 'warn', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((...parts: unknown[]) => void lines.push(parts.map(String).join(' ')))
  }
  return {
    lines,
    entries: (event?: string): LogEntry[] =>
      lines.map((line) => JSON.parse(line)).filter((entry) => event === undefined || entry.event === event),
  }
}
