/** After a sign-in with a password: the offer of a passkey, and what comes with a first one. */
import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { explain } from '../failures.ts'
import { texts } from '../texts/language.ts'
import { useOneAtATime } from './one-at-a-time.ts'
import { Outcome } from './outcome.tsx'
import { NewCodes } from './recovery-codes.tsx'

export function PasskeyOffer({ onDone }: { onDone: () => void }) {
  const { offer: words } = texts
  const [created, setCreated] = useState<{ recovery_codes?: string[] }>()
  const [problem, setProblem] = useState<string>()
  const { isBusy, run } = useOneAtATime()
  const create = () =>
    run(async () => {
      setProblem(undefined)
      try {
        setCreated(await client.registerPasskey())
      } catch (error) {
        setProblem(explain(error))
      }
    })

  if (created) {
    const { recovery_codes: codes = [] } = created
    return (
      <Outcome key="created" title={words.createdTitle}>
        <p>{words.created}</p>
        {codes.length > 0 ? (
          <>
            <p>{words.codes}</p>
            <NewCodes codes={codes} onSaved={onDone} />
          </>
        ) : (
          <p>
            <button type="button" class="primary" onClick={onDone}>
              {words.goOn}
            </button>
          </p>
        )}
      </Outcome>
    )
  }
  return (
    <Outcome key="offer" title={words.title}>
      <p>{words.why}</p>
      <div class="stack">
        <button type="button" class="primary" aria-disabled={isBusy} onClick={() => void create()}>
          {isBusy ? texts.secondStep.waiting : words.create}
        </button>
        <p class="unseen" role="status">
          {isBusy ? texts.secondStep.waiting : ''}
        </p>
        <div class="notice" role="alert">
          {problem}
        </div>
      </div>
      <div class="ways">
        <button type="button" class="quiet" onClick={onDone}>
          {words.notNow}
        </button>
      </div>
    </Outcome>
  )
}
