/** Signing in with a passkey: among the suggestions of the address field, and by a button. */
import { useEffect, useState } from 'preact/hooks'
import { passkeySupport } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { explain, hasCode } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { useOneAtATime } from './one-at-a-time.ts'

export function PasskeyEntrance({ onDone }: { onDone: () => Promise<never> }) {
  const { signIn: words } = texts
  const [problem, setProblem] = useState<string>()
  const [round, setRound] = useState(0)
  const { isBusy, run } = useOneAtATime()
  const show = (error: unknown) => setProblem(hasCode(error, 'invalid_passkey') ? words.passkeyRefused : explain(error))

  // The suggestions wait for as long as the form is shown, and again after each attempt.
  useEffect(() => {
    const leaving = new AbortController()
    const { signal } = leaving
    const suggest = async () => {
      if (!(await passkeySupport()).autofill || signal.aborted) return
      try {
        await client.signInWithPasskey({ mediation: 'conditional', signal })
      } catch (error) {
        // Nobody has asked for the suggestions, so nobody is told that there are none.
        if (signal.aborted || !(hasCode(error, 'invalid_passkey') || hasCode(error, 'account_suspended'))) return
        show(error)
        setRound((count) => count + 1)
        return
      }
      await onDone()
    }
    void suggest()
    return () => leaving.abort()
  }, [round])

  const start = () =>
    run(async () => {
      setProblem(undefined)
      try {
        await client.signInWithPasskey()
      } catch (error) {
        show(error)
        setRound((count) => count + 1)
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
