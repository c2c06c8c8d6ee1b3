/** After a sign-in with a password: the offer of a passkey, and what comes with a first one. */
import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { texts } from '../texts/language.ts'
import { Outcome } from './outcome.tsx'
import { PasskeyButton, useCeremony } from './passkey-button.tsx'
import { NewCodes } from './recovery-codes.tsx'

export function PasskeyOffer({ onDone }: { onDone: () => void }) {
  const { offer: words } = texts
  const [created, setCreated] = useState<{ recovery_codes?: string[] }>()
  const ceremony = useCeremony(() => client.registerPasskey().then(setCreated))

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
        <PasskeyButton ceremony={ceremony} class="primary">
          {words.create}
        </PasskeyButton>
      </div>
      <div class="ways">
        <button type="button" class="quiet" onClick={onDone}>
          {words.notNow}
        </button>
      </div>
    </Outcome>
  )
}
