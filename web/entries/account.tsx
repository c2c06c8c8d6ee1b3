import { Account } from '../pages/account.tsx'
import { start } from '../start.tsx'

await start(Account)
