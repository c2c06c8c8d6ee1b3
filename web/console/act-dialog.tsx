import { useState } from 'preact/hooks'
import { type AdministeredUser, PosternError, type Role } from '../../client/src/index.ts'
import { client } from '../client.ts'
import { hasCode } from '../failures.ts'
import { Dialog } from '../parts/dialog.tsx'
import { type Draft, useDraft } from '../parts/draft.ts'
import { TextArea, TextField } from '../parts/fields.tsx'
import { Submit, useForm } from '../parts/form.tsx'
import { toast } from '../parts/toasts.tsx'
import { refreshViews } from '../parts/views.ts'
import { texts } from '../texts/language.ts'
import { type Act, type ActName, rolesFor } from './offers.ts'
import { Select } from './select.tsx'
import { words } from './texts/words.ts'

/** How an act ended: as asked, or not at all because somebody else was faster. */
export type Result = 'done' | 'goneMeanwhile' | 'changedMeanwhile'

interface ActDialogProps {
  act: Act
  user: AdministeredUser
  onClose: () => void
  onEnd: (result: Result) => void
}

const profileNames = ['first_name', 'last_name', 'bio', 'avatar_url'] as const
type ProfileName = (typeof profileNames)[number]
const names = ['reason', ...profileNames] as const

export function ActDialog({ act: { name, isDangerous }, user, onClose, onEnd }: ActDialogProps) {
  const { action, warning } = words.acts[name]
  const title = action.replace(/\s?…$/, '')
  const needsReason = name === 'suspend' || name === 'resetFactors'
  const [role, setRole] = useState<Role>(rolesFor(user)[0] ?? user.role)
  const form = useForm(names, async ({ reason }) => {
    if (needsReason && reason.trim() === '') return { reason: words.reasonMissing }
    const profile = draft.changes()
    if (name === 'moderate' && Object.keys(profile).length === 0) {
      toast(texts.account.unchanged)
      onClose()
      return undefined
    }
    try {
      await perform(name, user.id, { reason, role, profile })
      onEnd('done')
    } catch (error) {
      // The service does not say beforehand who suspended an account.
      if (name === 'reinstate' && hasCode(error, 'insufficient_permission')) return { form: words.suspendedByAdmin }
      if (hasCode(error, 'own_account')) return { form: words.ownAccount }
      if (hasCode(error, 'last_admin')) return { form: words.lastAdmin }
      if (hasCode(error, 'not_found')) onEnd('goneMeanwhile')
      else if (error instanceof PosternError && error.status === 409) onEnd('changedMeanwhile')
      else throw error
    } finally {
      refreshViews()
    }
    return undefined
  })
  const draft = useDraft(form.props.ref, name === 'moderate' ? profileNames : [], user)
  const roles = Object.fromEntries(rolesFor(user).map((one) => [one, words.roles[one]]))
  const field = (key: ProfileName) => ({ name: key, error: form.errorOf(key) })
  return (
    <Dialog title={title} onClose={onClose}>
      <p>
        <strong>{user.email}</strong>
      </p>
      <p>{warning}</p>
      <form {...form.props}>
        {needsReason && <TextField label={words.reason} name="reason" maxLength={500} error={form.errorOf('reason')} />}
        {name === 'role' && (
          <Select
            label={words.newRole}
            value={role}
            options={roles}
            hasAll={false}
            onChange={(value) => setRole(value as Role)}
          />
        )}
        {name === 'moderate' && (
          <>
            <TextField label={words.firstName} maxLength={100} {...field('first_name')} />
            <TextField label={words.lastName} maxLength={100} {...field('last_name')} />
            <TextArea label={words.bio} maxLength={500} rows={4} {...field('bio')} />
            <TextField label={words.avatarUrl} type="url" maxLength={2048} {...field('avatar_url')} />
          </>
        )}
        <Submit form={form} busy={texts.common.loading} isDangerous={isDangerous ?? false} onCancel={onClose}>
          {title}
        </Submit>
      </form>
    </Dialog>
  )
}

interface Given {
  reason: string
  role: Role
  profile: ReturnType<Draft<ProfileName>['changes']>
}

async function perform(name: ActName, id: string, { reason, role, profile }: Given): Promise<void> {
  const { admin } = client
  const acts: Record<ActName, () => Promise<unknown>> = {
    moderate: () => admin.updateProfile(id, profile),
    activate: () => admin.activate(id),
    suspend: () => admin.suspend(id, reason),
    reinstate: () => admin.reinstate(id),
    role: () => admin.assignRole(id, role),
    reset: () => admin.startPasswordReset(id),
    endSessions: () => admin.endSessions(id),
    resetFactors: () => admin.resetFactors(id, reason),
    lift: () => admin.liftEmailSuppression(id),
    remove: () => admin.deleteUser(id),
  }
  await acts[name]()
}
