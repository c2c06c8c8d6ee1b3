import type { Passkey } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { digitsOf } from '../parts/code-fields.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/fields.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { toast } from '../parts/toasts.tsx'
import { refreshViews } from '../parts/views.ts'
import { texts } from '../texts/language.ts'
import { MailCode, useMailCode } from './mail-code.tsx'
import { words } from './texts/words.ts'

const nameMaxLength = 100

interface AddPasskeyProps {
  needsCode: boolean
  onCodes: (codes: string[]) => void
  onClose: () => void
}

export function AddPasskey({ needsCode, onCodes, onClose }: AddPasskeyProps) {
  const { passkeys: its } = words
  const mailCode = useMailCode(needsCode)
  const form = useForm(['mail_code', 'name'], async ({ mail_code: code, name }) => {
    const missing = mailCode.missing(code)
    if (missing) return missing
    try {
      const { recovery_codes: codes } = await client.registerPasskey({
        ...(name.trim() !== '' && { name }),
        ...(mailCode.isNeeded && { mailCode: digitsOf(code) }),
      })
      onClose()
      if (codes) onCodes(codes)
      else toast(its.added)
    } catch (error) {
      const refusal = mailCode.refusal(error)
      if (refusal) return refusal
      throw error
    } finally {
      refreshViews()
    }
    return undefined
  })
  return (
    <Dialog title={its.addTitle} onClose={onClose}>
      <p>{its.next}</p>
      <form {...form.props}>
        {mailCode.isNeeded && <MailCode error={form.errorOf('mail_code')} />}
        <TextField
          label={its.name}
          hint={its.nameHint}
          name="name"
          maxLength={nameMaxLength}
          autoComplete="off"
          error={form.errorOf('name')}
        />
        <Submit form={form} busy={its.busy} onCancel={onClose}>
          {its.submit}
        </Submit>
      </form>
    </Dialog>
  )
}

export function RenamePasskey({ passkey, onClose }: { passkey: Passkey; onClose: () => void }) {
  const { passkeys: its } = words
  const form = useForm(['name'], async ({ name }) => {
    if (name.trim() === '') return { name: its.nameMissing }
    try {
      await client.renamePasskey(passkey.id, name)
    } finally {
      refreshViews()
    }
    toast(its.renamed)
    onClose()
    return undefined
  })
  return (
    <Dialog title={its.renameOf(passkey.name).replace(/\s?…$/, '')} onClose={onClose}>
      <form {...form.props}>
        <TextField
          label={its.newName}
          name="name"
          maxLength={nameMaxLength}
          autoComplete="off"
          defaultValue={passkey.name}
          error={form.errorOf('name')}
        />
        <Submit form={form} busy={texts.account.saving} onCancel={onClose}>
          {its.save}
        </Submit>
      </form>
    </Dialog>
  )
}
