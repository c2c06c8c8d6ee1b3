/** The Worker that the real local queue of the test runtime calls: as in production, but for a cheap password hash. */
import { production } from '../../src/context.ts'
import { createWorker } from '../../src/worker.ts'

export default createWorker({ ...production, work: { rounds: 1, iterations: 1000 } })
