import { SignUp } from '../pages/sign-up.tsx'
import { start } from '../start.tsx'

await start(SignUp)
