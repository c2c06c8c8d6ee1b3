import { ResetPassword } from '../pages/reset-password.tsx'
import { start } from '../start.tsx'

await start(ResetPassword)
