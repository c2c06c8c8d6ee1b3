import type { Refusals } from './en.ts'

export const refusals: Refusals = {
  problem: {
    malformed_json: 'Beim Senden ist etwas schiefgegangen. Laden Sie die Seite neu und versuchen Sie es noch einmal.',
    invalid_link: 'Dieser Link ist nicht mehr gültig. Fordern Sie einen neuen an.',
    invalid_credentials: 'E-Mail-Adresse oder Passwort ist falsch. Prüfen Sie beides und versuchen Sie es erneut.',
    invalid_token: 'Sie sind nicht mehr angemeldet. Bitte melden Sie sich wieder an.',
    invalid_refresh_token: 'Sie sind nicht mehr angemeldet. Bitte melden Sie sich wieder an.',
    refresh_token_reused: 'Zum Schutz Ihres Kontos haben wir Sie abgemeldet. Bitte melden Sie sich wieder an.',
    account_pending:
      'Dieses Konto ist noch nicht aktiviert. Öffnen Sie den Link in der E-Mail, die Sie nach der Registrierung erhalten haben.',
    account_suspended: 'Dieses Konto ist gesperrt. Den Grund finden Sie in der E-Mail, die wir Ihnen geschickt haben.',
    wrong_password: 'Das Passwort ist falsch.',
    invalid_setup: 'Diese Einrichtung ist abgelaufen. Beginnen Sie noch einmal.',
    invalid_factor_token:
      'Diese Anmeldung hat zu lange gedauert oder ist schon abgeschlossen. Melden Sie sich noch einmal an.',
    invalid_passkey:
      'Der Passkey wurde nicht angenommen. Versuchen Sie es noch einmal oder wählen Sie einen anderen Weg.',
    insufficient_user_authentication: 'Bestätigen Sie, dass Sie es sind, und versuchen Sie es noch einmal.',
    second_factor_required: 'Dieses Konto verlangt zusätzlich einen Passkey oder einen Code.',
    wrong_second_factor: 'Das stimmt nicht. Prüfen Sie es und versuchen Sie es noch einmal.',
    factor_enrolment_required:
      'Ihr Konto braucht einen zweiten Faktor. Fügen Sie zuerst einen Passkey oder eine Authenticator-App hinzu.',
    wrong_mail_code: 'Der Code aus der E-Mail ist falsch oder abgelaufen.',
    passkey_exists: 'Dieser Passkey wurde schon hinzugefügt.',
    too_many: 'Mehr sind nicht möglich. Entfernen Sie zuerst einen.',
    last_factor: 'Ihr Konto braucht einen zweiten Faktor. Fügen Sie einen anderen hinzu, bevor Sie diesen entfernen.',
    email_recently_changed:
      'Die E-Mail-Adresse wurde vor Kurzem geändert. Warten Sie drei Tage bis zur nächsten Änderung.',
    insufficient_permission: 'Dazu fehlt Ihnen die Berechtigung.',
    origin_not_allowed:
      'Unter dieser Adresse funktioniert das nicht. Öffnen Sie die Seite unter ihrer eigenen Adresse und versuchen Sie es noch einmal.',
    not_found: 'Das gibt es nicht mehr.',
    method_not_allowed: 'Das ist nicht möglich. Laden Sie die Seite neu und versuchen Sie es noch einmal.',
    last_admin: 'Das ist der einzige Administrator. Geben Sie zuerst jemand anderem diese Rolle.',
    own_account: 'Das geht nicht mit dem eigenen Konto.',
    not_activated: 'Dieses Konto ist noch nicht aktiviert. Bis dahin behält es die Rolle „Benutzer“.',
    user_suspended: 'Dieses Konto ist gesperrt. Heben Sie zuerst die Sperre auf.',
    not_suspended: 'Dieses Konto ist nicht gesperrt.',
    email_suppressed:
      'An diese Adresse wird derzeit keine E-Mail verschickt. Lassen Sie E-Mails an sie zuerst wieder zu.',
    not_suppressed: 'E-Mails an diese Adresse sind bereits zugelassen.',
    body_too_large: 'Das ist zu viel Text. Kürzen Sie ihn und versuchen Sie es noch einmal.',
    unsupported_media_type:
      'Beim Senden ist etwas schiefgegangen. Laden Sie die Seite neu und versuchen Sie es noch einmal.',
    validation_failed: 'Eine Ihrer Angaben ist so nicht möglich. Prüfen Sie sie und versuchen Sie es noch einmal.',
    weak_password: 'Dieses Passwort ist zu leicht zu erraten. Wählen Sie ein anderes.',
    rate_limited: 'Zu viele Versuche. Bitte warten Sie einen Moment und versuchen Sie es dann erneut.',
    internal_error: 'Bei uns ist ein Fehler aufgetreten. Bitte versuchen Sie es später noch einmal.',
    service_unavailable: 'Der Dienst ist vorübergehend nicht verfügbar. Bitte versuchen Sie es gleich noch einmal.',
    passkey_cancelled:
      'Es wurde kein Passkey verwendet. Versuchen Sie es noch einmal oder wählen Sie einen anderen Weg.',
    passkey_unavailable: 'Passkeys funktionieren in diesem Browser oder unter dieser Adresse nicht.',
    network_error: 'Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung und versuchen Sie es erneut.',
    unexpected_answer: 'Bei uns ist ein Fehler aufgetreten. Bitte versuchen Sie es später noch einmal.',
    invalid_request: 'Beim Senden ist etwas schiefgegangen. Laden Sie die Seite neu und versuchen Sie es noch einmal.',
    origin_not_listed: 'Das ist nicht möglich. Laden Sie die Seite neu und versuchen Sie es noch einmal.',
    client_in_use: 'Hier ist bereits jemand anderes angemeldet. Melden Sie sich zuerst ab.',
  },

  unknownProblem: 'Das ist nicht möglich. Laden Sie die Seite neu und versuchen Sie es noch einmal.',

  fieldError: {
    required: 'Bitte füllen Sie dieses Feld aus.',
    invalid_type: 'Diese Angabe ist so nicht möglich. Bitte prüfen Sie sie.',
    invalid_value: 'Wählen Sie eine der Möglichkeiten.',
    invalid_format: 'Diese Angabe hat nicht die erwartete Form.',
    invalid_union: 'Diese Angabe ist so nicht möglich. Bitte prüfen Sie sie.',
    too_small: 'Das ist zu kurz.',
    too_big: 'Das ist zu lang.',
    invalid: 'Diese Angabe ist so nicht möglich. Bitte prüfen Sie sie.',
    invalid_text: 'Das enthält Zeichen, die hier nicht möglich sind.',
    invalid_email: 'Das ist keine E-Mail-Adresse. Prüfen Sie, ob Sie sich vertippt haben.',
    invalid_url: 'Das ist keine Webadresse. Sie muss mit https:// beginnen und darf keine Leerzeichen enthalten.',
    invalid_locale: 'Diese Sprache ist nicht bekannt.',
    invalid_id: 'Das ist keine ID.',
    invalid_cursor: 'Diese Liste hat sich geändert. Beginnen Sie wieder auf der ersten Seite.',
    invalid_return_to: 'Zu dieser Adresse können wir Sie nicht zurückleiten.',
    unknown_parameter: 'Danach lässt sich nicht filtern.',
    too_short: 'Dieses Passwort ist zu kurz.',
    too_guessable:
      'Dieses Passwort ist zu leicht zu erraten. Machen Sie es länger oder fügen Sie weitere Wörter hinzu.',
    breached:
      'Dieses Passwort ist durch ein Datenleck bekannt geworden; Angreifer probieren es zuerst. Wählen Sie ein anderes – hier und überall, wo Sie es sonst verwenden.',
    turnstile_required: 'Bitte bestätigen Sie, dass Sie ein Mensch sind.',
    turnstile_failed: 'Die Prüfung, ob Sie ein Mensch sind, hat nicht geklappt. Bitte versuchen Sie es noch einmal.',
  },

  unknownFieldError: 'Diese Angabe ist so nicht möglich. Bitte prüfen Sie sie.',
}
