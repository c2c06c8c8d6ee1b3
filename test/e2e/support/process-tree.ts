import { existsSync, readFileSync, readdirSync } from 'node:fs'

interface Process {
  pid: number
  parent: number
  isAlive: boolean
}

/** Every descendant of a process. Empty on systems without /proc. */
export function descendantsOf(root: number): number[] {
  const all = processes()
  const found: number[] = []
  let parents = [root]
  while (parents.length > 0) {
    parents = all.filter(({ parent }) => parents.includes(parent)).map(({ pid }) => pid)
    found.push(...parents)
  }
  return found
}

/** The processes that still run. A zombie does not. */
export function runningOf(pids: readonly number[]): number[] {
  return processes()
    .filter(({ pid, isAlive }) => isAlive && pids.includes(pid))
    .map(({ pid }) => pid)
}

function processes(): Process[] {
  if (!existsSync('/proc/self/stat')) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // "pid (name, which may hold anything) state parent …"
        const [state = '', parent = ''] = readFileSync(`/proc/${name}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')
        return [{ pid: Number(name), parent: Number(parent), isAlive: !'ZX'.includes(state) }]
      } catch {
        return [] // It has ended meanwhile.
      }
    })
}

/** The arguments of every process, as `ps` shows them to everybody on this machine. */
export function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      } catch {
        return [] // It has ended meanwhile.
      }
    })
}
