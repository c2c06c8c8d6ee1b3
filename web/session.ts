/** The session, for pages that need one. */
import { useEffect, useState } from 'preact/hooks'
import type { User } from '../client/src/index.ts'
import { client } from './client.ts'
import { explain } from './failures.ts'
import { leaveFor } from './navigation.ts'
import { withReturnTo } from './return-to.ts'
import { addView } from './parts/views.ts'

/** The sign-in page checks the path like any other that it is asked to return to. */
function leave(hasEnded: boolean): void {
  const signIn = withReturnTo('/sign-in', location.pathname + location.search)
  void leaveFor(hasEnded ? `${signIn}&ended` : signIn)
}

export type SignedIn = { state: 'loading' } | { state: 'failed'; message: string } | { state: 'ready'; user: User }

/** Who is signed in. Without a session, or when it ends in another tab or device, leads to the sign-in page. */
export function useSignedIn(): SignedIn {
  const [signedIn, setSignedIn] = useState<SignedIn>({ state: 'loading' })
  useEffect(() => {
    const end = client.onChange(({ reason, user }) => {
      if (user) setSignedIn({ state: 'ready', user })
      else leave(reason === 'session_ended')
    })
    client.restore().then(
      (user) => (user ? setSignedIn({ state: 'ready', user }) : leave(false)),
      (error: unknown) => setSignedIn({ state: 'failed', message: explain(error) }),
    )
    // A failure needs no message: the next call shows it, and an ended session is a change.
    const endView = addView(() => void client.me().catch(() => undefined))
    return () => {
      end()
      endView()
    }
  }, [])
  return signedIn
}
