import { useState } from 'preact/hooks'
import { client } from '../client.ts'
import { saveFile } from '../navigation.ts'
import { Dialog } from '../parts/dialog.tsx'
import { productName } from '../settings.ts'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { CopyButton } from './copy-button.tsx'
import { words } from './texts/words.ts'

interface RecoveryCodesProps {
  /** How many are left. */
  count: number
  /** Shows new codes. */
  onCodes: (codes: string[]) => void
}

export function RecoveryCodes({ count, onCodes }: RecoveryCodesProps) {
  const { recovery } = words
  const [isAsking, setIsAsking] = useState(false)
  return (
    <>
      <h2>{recovery.title}</h2>
      <p class="soft">{recovery.hint}</p>
      <p>{recovery.left(count)}</p>
      <button type="button" class="quiet" onClick={() => setIsAsking(true)}>
        {recovery.renew}
      </button>
      {isAsking && (
        <ConfirmDialog
          title={recovery.renewTitle}
          submit={recovery.renewSubmit}
          act={async () => onCodes((await client.renewRecoveryCodes()).recovery_codes)}
          onClose={() => setIsAsking(false)}
        >
          {recovery.renewWarning}
        </ConfirmDialog>
      )}
    </>
  )
}

/** Shows new codes, once: the service keeps nothing that it could show again. */
export function NewCodes({ codes, onClose }: { codes: readonly string[]; onClose: () => void }) {
  const { recovery } = words
  const text = `${codes.join('\n')}\n`
  const save = () => saveFile(recovery.file, new Blob([`${productName}\n${recovery.list}\n\n${text}`]))
  return (
    <Dialog title={recovery.shownTitle} onClose={onClose} isKeptOpen>
      <p>{recovery.shown}</p>
      <ul class="codes" aria-label={recovery.list} translate={false}>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div class="choice unprinted">
        <CopyButton text={text}>{recovery.copy}</CopyButton>
        <button type="button" class="quiet" onClick={save}>
          {recovery.download}
        </button>
        <button type="button" class="quiet" onClick={() => print()}>
          {recovery.print}
        </button>
        <button type="button" class="primary" onClick={onClose}>
          {recovery.done}
        </button>
      </div>
    </Dialog>
  )
}
