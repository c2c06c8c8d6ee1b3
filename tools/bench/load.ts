import { Stop } from '../command.ts'
import { HttpConnection } from './http-connection.ts'

/** One client, which sends its next request when the last one was answered. */
export interface Client {
  next(): string
  /** Sees each answer, where the next request depends on it. */
  answered?(body: string): void
}

export interface Load {
  /** What an error names. */
  name: string
  port: number
  /** The status of an answer. */
  status: number
  /** The status by which a Worker that has too much to do turns a client away. Counted apart from the answers. */
  busyStatus?: number
  clients: readonly Client[]
}

/** What a run of a load took. */
export interface Taken {
  /** From the first request to the last answer. */
  seconds: number
  /** Of the answers, in ms, in ascending order. */
  latencies: Float64Array
  /** How often a client was turned away. */
  turnedAway: number
}

/**
 * Keeps every client busy for a while, and waits for the answers to what they have sent by then.
 *
 * @throws {Stop} when an answer has another status
 */
export async function runLoad(load: Load, seconds: number): Promise<Taken> {
  const { name, port, status, clients, busyStatus } = load
  const connections = await Promise.all(clients.map(() => HttpConnection.open(port)))
  const latencies: number[] = []
  let turnedAway = 0
  try {
    const start = performance.now()
    const end = start + seconds * 1000
    let last = start
    const busy = async (client: Client, connection: HttpConnection): Promise<void> => {
      let sentAt = performance.now()
      do {
        const answer = await connection.send(client.next())
        last = performance.now()
        if (answer.status === status) {
          latencies.push(last - sentAt)
          client.answered?.(answer.body)
        } else if (answer.status === busyStatus) turnedAway++
        else throw new Stop(`${name}: ${answer.status} instead of ${status}: ${answer.body}`)
        sentAt = last
      } while (sentAt < end)
    }
    await Promise.all(clients.map((client, place) => busy(client, connections[place]!)))
    return { seconds: (last - start) / 1000, turnedAway, latencies: Float64Array.from(latencies).toSorted() }
  } finally {
    for (const connection of connections) connection.close()
  }
}

/** The value below which a share of the sorted values lie. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}
