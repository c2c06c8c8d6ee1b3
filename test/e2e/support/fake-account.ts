/** The state of the pretended Cloudflare account. */
export interface FakeAccount {
  databases: { uuid: string; name: string }[]
  namespaces: { id: string; title: string }[]
  queues: { queue_id: string; queue_name: string }[]
  /** The Worker's secrets with their values, or `null` while there is no Worker. */
  secrets: Record<string, string> | null
}

export function emptyAccount(): FakeAccount {
  return { databases: [], namespaces: [], queues: [], secrets: null }
}
