import { readFileSync, readdirSync } from 'node:fs'

/** The CPU that the threads of a process have used, in ms; `NaN` on systems that do not tell (all but Linux). */
export function cpuMs(pid: number): number {
  try {
    let ns = 0
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [onCpu = ''] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
      ns += Number(onCpu)
    }
    return ns / 1e6
  } catch {
    return NaN
  }
}
