import { Activate } from '../pages/activate.tsx'
import { start } from '../start.tsx'

await start(Activate)
