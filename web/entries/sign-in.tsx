import { SignIn } from '../pages/sign-in.tsx'
import { start } from '../start.tsx'

await start(SignIn)
