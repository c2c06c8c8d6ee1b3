import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { once } from 'node:events'

interface ProfileNode {
  id: number
  callFrame: { functionName: string; lineNumber: number }
}

interface Profile {
  nodes: ProfileNode[]
  samples: number[]
}

/** Records what the isolate of one Worker does while `work` runs, for Chromium's developer tools and for Speedscope. */
export async function profileWhile(
  inspector: string,
  worker: string,
  path: string,
  work: () => Promise<unknown>,
): Promise<Profile> {
  const socket = new WebSocket(`${inspector}/core:user:${worker}`)
  await once(socket, 'open')
  let id = 0
  const call = async <T>(method: string, params: object = {}): Promise<T> => {
    const own = ++id
    const answered = Promise.withResolvers<T>()
    const read = ({ data }: MessageEvent<string>) => {
      const message = JSON.parse(data) as { id?: number; result: T }
      if (message.id === own) answered.resolve(message.result)
    }
    socket.addEventListener('message', read)
    socket.send(JSON.stringify({ id: own, method, params }))
    const result = await answered.promise
    socket.removeEventListener('message', read)
    return result
  }
  try {
    await call('Profiler.enable')
    await call('Profiler.setSamplingInterval', { interval: 200 })
    await call('Profiler.start')
    await work()
    const { profile } = await call<{ profile: Profile }>('Profiler.stop')
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, JSON.stringify(profile))
    return profile
  } finally {
    socket.close()
  }
}

/** The functions in which most of the time was spent, with their share of it. Idle time does not count. */
export function heaviest({ nodes, samples }: Profile, count: number): { name: string; share: number }[] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, lineNumber } }) => {
      const name = functionName || '(anonymous)'
      return [id, lineNumber < 0 ? name : `${name}:${lineNumber + 1}`]
    }),
  )
  const busy = samples.map((id) => names.get(id) ?? '').filter((name) => name !== '(idle)')
  return [...Map.groupBy(busy, (name) => name)]
    .map(([name, each]) => ({ name, share: each.length / busy.length }))
    .toSorted((a, b) => b.share - a.share)
    .slice(0, count)
}
