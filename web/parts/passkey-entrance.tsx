/** Signing in with a passkey: among the suggestions of the address field, and by a button. */
import { useEffect, useState } from 'preact/hooks'
import { passkeySupport } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain, hasCode } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { useOneAtATime } from './one-at-a-time.ts'

const isRefusal = (error: unknown) => hasCode(error, 'invalid_passkey') || hasCode(error, 'account_suspended')

export function PasskeyEntrance({ onDone }: { onDone: () => Promise<never> }) {
  const { signIn: words } = texts
  const [problem, setProblem] = useState<string>()
  const [round, setRound] = useState(0)
  const [isRefused, setIsRefused] = useState(false)
  const { isBusy, run } = useOneAtATime()
  const show = (error: unknown) => setProblem(hasCode(error, 'invalid_passkey') ? words.passkeyRefused : explain(error))

  /** A refused passkey is not asked for again before the person acts: an authenticator may answer by itself, each time. */
  const fail = (error: unknown) => {
    show(error)
    setIsRefused(isRefusal(error))
    setRound((count) => count + 1)
  }

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
        if (!signal.aborted && isRefusal(error)) fail(error)
        return
      }
      await onDone()
    }
    void suggest()
    return () => leaving.abort()
  }, [round, isRefused])

  const start = () =>
    run(async () => {
      setProblem(undefined)
      try {
        await client.signInWithPasskey()
      } catch (error) {
        fail(error)
        return
      }
      await onDone()
    })

  if (!('PublicKeyCredential' in globalThis)) return null
  return (
    <div class="stack">
      <p class="or">{words.or}</p>
      <button type="button" class="quiet" aria-disabled={isBusy} onClick={() => void start()}>
        {isBusy ? texts.secondStep.waiting : words.usePasskey}
      </button>
      <p class="unseen" role="status">
        {isBusy ? texts.secondStep.waiting : ''}
      </p>
      <div class="notice" role="alert">
        {problem}
      </div>
    </div>
  )
}
