import { client } from '../client.ts'
import { explain } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { toast } from './toasts.tsx'

/** Ends the session. The page, which is told like any other tab, leads to the sign-in. */
export function SignOut() {
  const signOut = () => void client.signOut().catch((error: unknown) => toast(explain(error)))
  return (
    <button type="button" class="quiet" onClick={signOut}>
      {texts.account.signOut}
    </button>
  )
}
