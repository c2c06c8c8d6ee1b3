import { client } from '../client.ts'
import { explain } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { toast } from './toasts.tsx'

/** Ends the session. `useSignedIn` hears of it and leads to the sign-in page. */
export function SignOut() {
  const signOut = () => void client.signOut().catch((error: unknown) => toast(explain(error)))
  return (
    <button type="button" class="quiet" onClick={signOut}>
      {texts.account.signOut}
    </button>
  )
}
