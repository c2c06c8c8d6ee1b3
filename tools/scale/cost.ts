/** What one call or job cost, with the work after its answer. */
export interface Cost {
  roundTrips: number
  rowsRead: number
  rowsWritten: number
  kvReads: number
  kvWrites: number
  queueSends: number
  /** Of the lines that it logged. */
  logBytes: number
  /** How long D1 was busy, in whole ms. Of calls that are made several times, the mean. */
  sqlMs: number
  ms: number
}

/** What the Worker says about one of its invocations. */
export interface Invocation extends Cost {
  what: string
  /** Messages of the mail queue that were delivered. */
  messages: number
}
