/** Form fields with label, hint and error, linked to each other for assistive technology. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { texts } from '../texts/language.ts'

export interface FieldProps {
  label: string
  /** The name in the API and in the form data. */
  name: string
  error?: string | undefined
  hint?: ComponentChildren
}

/** Attributes that are passed on to the input. */
interface InputProps extends FieldProps {
  type?: 'text' | 'email' | 'url' | 'search'
  autoComplete?: string
  autoCapitalize?: 'none' | 'words' | 'characters'
  inputMode?: 'numeric'
  autoFocus?: boolean
  spellcheck?: boolean
  required?: boolean
  maxLength?: number
  defaultValue?: string
  /** For a field that follows something else, together with `onInput`. */
  value?: string
  onInput?: (event: { currentTarget: HTMLInputElement }) => void
  onChange?: (event: { currentTarget: HTMLInputElement }) => void
  onFocus?: () => void
}

interface FrameProps extends FieldProps {
  id: string
  children: ComponentChildren
}

function Frame({ label, hint, error, id, children }: FrameProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint !== undefined && (
        <div class="hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
      <p class="error" id={`${id}-error`}>
        {error}
      </p>
    </div>
  )
}

type Attributes = JSX.IntrinsicElements['input']

function describe(id: string, { error, hint }: FieldProps) {
  return {
    'aria-invalid': error ? ('true' as const) : undefined,
    'aria-describedby': [hint !== undefined && `${id}-hint`, `${id}-error`].filter(Boolean).join(' '),
  }
}

export function TextField({ label, hint, error, type = 'text', ...input }: InputProps) {
  const id = useId()
  const field = { label, hint, error, name: input.name }
  const attributes = { ...input, type, ...describe(id, field) } as Attributes
  return (
    <Frame {...field} id={id}>
      <input {...attributes} id={id} />
    </Frame>
  )
}

/** For text of several lines. */
export function TextArea({ label, hint, error, ...input }: FieldProps & { maxLength?: number; rows?: number }) {
  const id = useId()
  const field = { label, hint, error, name: input.name }
  return (
    <Frame {...field} id={id}>
      <textarea {...input} {...describe(id, field)} id={id} />
    </Frame>
  )
}

export function EmailField(props: Partial<InputProps>) {
  return (
    <TextField
      label={texts.common.email}
      name="email"
      type="email"
      autoComplete="username"
      autoCapitalize="none"
      spellcheck={false}
      maxLength={254}
      required
      {...props}
    />
  )
}

/** Hides the password until the visitor presses the button that shows it. */
export function PasswordField({ label, hint, error, ...input }: Omit<InputProps, 'type'>) {
  const id = useId()
  const ref = useRef<HTMLInputElement>(null)
  const [isShown, setIsShown] = useState(false)
  // Hidden again before submitting: browsers offer to save only what is a password field at that moment.
  useEffect(() => {
    const hide = () => {
      setIsShown(false)
      ref.current!.type = 'password'
    }
    const { form } = ref.current!
    form?.addEventListener('submit', hide, { capture: true })
    return () => form?.removeEventListener('submit', hide, { capture: true })
  }, [])
  const field = { label, hint, error, name: input.name }
  const type = isShown ? 'text' : 'password'
  const quiet = { autoCapitalize: 'none', spellcheck: false, required: true }
  const attributes = { ...quiet, ...input, type, ...describe(id, field) } as Attributes
  return (
    <Frame {...field} id={id}>
      <div class="secret">
        <input {...attributes} id={id} ref={ref} />
        <button
          type="button"
          class="toggle"
          aria-pressed={isShown}
          aria-controls={id}
          title={isShown ? texts.common.hidePassword : texts.common.showPassword}
          onClick={() => setIsShown(!isShown)}
        >
          <Eye isCrossed={isShown} />
          <span class="unseen">{isShown ? texts.common.hidePassword : texts.common.showPassword}</span>
        </button>
      </div>
    </Frame>
  )
}

function Eye({ isCrossed }: { isCrossed: boolean }) {
  return (
    <svg
      aria-hidden="true"
      width="22"
      height="22"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
    >
      <path d="M2 12c3-5 6-7 10-7s7 2 10 7c-3 5-6 7-10 7s-7-2-10-7z" />
      <circle cx="12" cy="12" r="3" />
      {isCrossed && <path d="M4 21 20 3" />}
    </svg>
  )
}
