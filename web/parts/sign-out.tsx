import { client } from '../client.ts'
import { explain } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { useOneAtATime } from './one-at-a-time.ts'
import { toast } from './toasts.tsx'

/** Ends the session. `useSignedIn` hears of it and leads to the sign-in page. */
export function SignOut() {
  const { isBusy, run } = useOneAtATime()
  const signOut = () => run(() => client.signOut().catch((error: unknown) => toast(explain(error))))
  return (
    <button type="button" class="quiet" aria-disabled={isBusy} onClick={() => void signOut()}>
      {texts.account.signOut}
    </button>
  )
}
