import type { TotpSetup as Setup } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { CodeField, digitsOf } from '../parts/code-fields.tsx'
import { CopyButton } from '../parts/copy-button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { toast } from '../parts/toasts.tsx'
import { refreshViews } from '../parts/views.ts'
import { texts } from '../texts/language.ts'
import { MailCode, useMailCode } from './mail-code.tsx'
import { QrCode } from './qr-code.tsx'
import { words } from './texts/words.ts'

interface TotpSetupProps {
  setup: Setup
  needsCode: boolean
  onCodes: (codes: string[]) => void
  onClose: () => void
}

/** Nothing is stored until the first code is right: whoever stops here is not locked out. */
export function TotpSetup({ setup, needsCode, onCodes, onClose }: TotpSetupProps) {
  const { totp: its } = words
  const mailCode = useMailCode(needsCode)
  const form = useForm(['mail_code', 'code'], async ({ mail_code: mailed, code }) => {
    const missing = mailCode.missing(mailed)
    if (missing) return missing
    if (code.trim() === '') return { code: texts.factor.codeMissing }
    try {
      const { recovery_codes: codes } = await client.confirmTotp(
        setup.setup_token,
        digitsOf(code),
        mailCode.isNeeded ? digitsOf(mailed) : undefined,
      )
      onClose()
      if (codes) onCodes(codes)
      else toast(its.added)
    } catch (error) {
      const refusal = mailCode.refusal(error)
      if (refusal) return refusal
      if (hasCode(error, 'wrong_second_factor')) return { code: texts.factor.wrongCode }
      throw error
    } finally {
      refreshViews()
    }
    return undefined
  })
  return (
    <Dialog title={its.setUpTitle} onClose={onClose}>
      <p>{its.scan}</p>
      <QrCode text={setup.uri} label={its.qr} />
      <p class="key">
        <span id="totp-key">{its.key}</span>
        <code aria-labelledby="totp-key" translate={false}>
          {setup.secret.replace(/(.{4})(?=.)/g, '$1 ')}
        </code>
      </p>
      <div class="choice">
        <CopyButton text={setup.secret}>{its.copy}</CopyButton>
      </div>
      <form {...form.props}>
        {mailCode.isNeeded && <MailCode error={form.errorOf('mail_code')} />}
        <CodeField name="code" error={form.errorOf('code')} />
        <Submit form={form} busy={its.busy} onCancel={onClose}>
          {its.submit}
        </Submit>
      </form>
    </Dialog>
  )
}
