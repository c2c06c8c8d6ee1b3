import { useState } from 'preact/hooks'
import type { Passkey } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { ago, moment } from '../format.ts'
import { toast } from '../parts/toasts.tsx'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { AddPasskey, RenamePasskey } from './passkey-dialogs.tsx'
import { words } from './texts/words.ts'

interface PasskeysProps {
  passkeys: readonly Passkey[]
  /** Whether the first factor needs a code from an email. The service may ask for one later, too. */
  needsCode: boolean
  onCodes: (codes: string[]) => void
}

type Asked = { act: 'add' } | { act: 'rename' | 'remove'; passkey: Passkey }

export function Passkeys({ passkeys, needsCode, onCodes }: PasskeysProps) {
  const { passkeys: its } = words
  const [asked, setAsked] = useState<Asked>()
  const close = () => setAsked(undefined)
  return (
    <>
      <h2>{its.title}</h2>
      <p class="soft">{its.hint}</p>
      {passkeys.length === 0 && <p>{its.none}</p>}
      <ul class="list">
        {passkeys.map((passkey) => (
          <li key={passkey.id}>
            <Description passkey={passkey} />
            <span class="pair">
              <button
                type="button"
                class="quiet"
                aria-label={its.renameOf(passkey.name)}
                onClick={() => setAsked({ act: 'rename', passkey })}
              >
                {its.rename}
              </button>
              <button
                type="button"
                class="quiet"
                aria-label={its.removeOf(passkey.name)}
                onClick={() => setAsked({ act: 'remove', passkey })}
              >
                {its.remove}
              </button>
            </span>
          </li>
        ))}
      </ul>
      {'PublicKeyCredential' in globalThis ? (
        <button type="button" class="quiet" onClick={() => setAsked({ act: 'add' })}>
          {its.add}
        </button>
      ) : (
        <p>{its.unsupported}</p>
      )}
      {asked?.act === 'add' && <AddPasskey needsCode={needsCode} onCodes={onCodes} onClose={close} />}
      {asked?.act === 'rename' && <RenamePasskey passkey={asked.passkey} onClose={close} />}
      {asked?.act === 'remove' && (
        <ConfirmDialog
          title={its.removeTitle(asked.passkey.name)}
          submit={its.removeSubmit}
          isDangerous
          act={() => client.removePasskey(asked.passkey.id).then(() => toast(its.removed))}
          onClose={close}
        >
          {its.removeWarning}
        </ConfirmDialog>
      )}
    </>
  )
}

function Description({
  passkey: { name, created_at: created, last_used_at: used, backed_up: isSynced },
}: {
  passkey: Passkey
}) {
  const { passkeys: its } = words
  return (
    <div>
      <strong class="long">{name}</strong> {isSynced && <span class="badge">{its.synced}</span>}
      <p class="soft">
        <time dateTime={created} title={moment(created)}>
          {its.since(ago(created))}
        </time>
        {' · '}
        {used === null ? (
          its.unused
        ) : (
          <time dateTime={used} title={moment(used)}>
            {its.used(ago(used))}
          </time>
        )}
      </p>
    </div>
  )
}
