/** Signing in with a passkey: among the suggestions of the address field, and by a button. */
import { useEffect, useState } from 'preact/hooks'
import { passkeySupport } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain, hasCode } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { PasskeyButton, useCeremony } from './passkey-button.tsx'

const isRefusal = (error: unknown) => hasCode(error, 'invalid_passkey') || hasCode(error, 'account_suspended')

export function PasskeyEntrance({ onDone }: { onDone: () => Promise<never> }) {
  const { signIn: words } = texts
  const [round, setRound] = useState(0)
  const [isRefused, setIsRefused] = useState(false)
  /** A refused passkey is not asked for again before the person acts: an authenticator may answer by itself each time. */
  const startOver = (error: unknown) => {
    setIsRefused(isRefusal(error))
    setRound((count) => count + 1)
  }
  const signIn = async () => {
    try {
      await client.signInWithPasskey()
    } catch (error) {
      startOver(error)
      throw error
    }
    await onDone()
  }
  const ceremony = useCeremony(signIn, (error) =>
    hasCode(error, 'invalid_passkey') ? words.passkeyRefused : explain(error),
  )

  useEffect(() => {
    if (!isRefused) return undefined
    const leaving = new AbortController()
    const { signal } = leaving
    const goOn = () => setIsRefused(false)
    const enter = ({ target }: FocusEvent) => {
      if (target instanceof Element && target.matches('[autocomplete~=webauthn]')) goOn()
    }
    document.addEventListener('submit', goOn, { signal })
    document.addEventListener('focusin', enter, { signal })
    return () => leaving.abort()
  }, [isRefused])

  // The suggestions wait for as long as the form is shown, and again after each attempt.
  useEffect(() => {
    if (isRefused) return undefined
    const leaving = new AbortController()
    const { signal } = leaving
    const suggest = async () => {
      if (!(await passkeySupport()).autofill || signal.aborted) return
      try {
        await client.signInWithPasskey({ mediation: 'conditional', signal })
      } catch (error) {
        // Nobody has asked for the suggestions, so nobody is told that there are none.
        if (!signal.aborted && isRefusal(error)) {
          ceremony.fail(error)
          startOver(error)
        }
        return
      }
      await onDone()
    }
    void suggest()
    return () => leaving.abort()
  }, [round, isRefused])

  if (!('PublicKeyCredential' in globalThis)) return null
  return (
    <div class="stack">
      <p class="or">{words.or}</p>
      <PasskeyButton ceremony={ceremony} class="quiet">
        {words.usePasskey}
      </PasskeyButton>
    </div>
  )
}
