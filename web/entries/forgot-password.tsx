import { ForgotPassword } from '../pages/forgot-password.tsx'
import { start } from '../start.tsx'

await start(ForgotPassword)
