import { production } from './context.ts'
import { createWorker } from './worker.ts'

export default createWorker(production)
