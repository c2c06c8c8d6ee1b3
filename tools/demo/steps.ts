import type { Api } from './api.ts'

/** What the chapters of the demo share. */
export interface Demo {
  api: Api
  mailbox: Api
  step: Step
}

/** Does one thing and prints it: a line that says what, then that it went well, and what came of it. */
export type Step = <T>(what: string, act: () => Promise<T>, tell?: (result: T) => string) => Promise<T>

export function printedSteps(print: (text: string) => void): { step: Step; count: () => number } {
  let number = 0
  const step: Step = async (what, act, tell) => {
    number++
    print(`${String(number).padStart(3)}  ${what} … `)
    try {
      const result = await act()
      print(tell ? `ok: ${tell(result)}\n` : 'ok\n')
      return result
    } catch (error) {
      print('SURPRISE\n')
      throw error
    }
  }
  return { step, count: () => number }
}
