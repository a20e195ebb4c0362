import React, { createContext, useContext, useEffect, useId, useRef, useState, type FormEvent, type ReactNode } from 'react';
import useIsBrowser from '@docusaurus/useIsBrowser';
import { labelOf, type Problem } from '../auth/problems';
import { userFieldRules, userFields } from '../auth/fields';
import Message from './Message';
import styles from './Form.module.css';

export type Values = Record<string, string>;
export interface Outcome {
  problem?: Problem | null;
  /** Told instead of a problem. */
  notice?: string;
}

const Problems = createContext<Record<string, string>>({});

const isInput = (element: Element | RadioNodeList | null) =>
  element instanceof HTMLInputElement || element instanceof HTMLSelectElement;

/** The browser's own rules (required, type), in our words and at the field. */
function invalidInputs(form: HTMLFormElement): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const element of form.elements) {
    if (!isInput(element) || element.validity.valid) continue;
    problems[element.name] = element.validity.valueMissing
      ? `Enter your ${element.labels?.[0]?.textContent?.toLowerCase()}.`
      : 'This is not an email address.';
  }
  return problems;
}

interface FormProps {
  submit: string;
  send(values: Values): Promise<Outcome>;
  children: ReactNode;
}

/** Shows every problem at its input and moves the focus to the first; what is about no input stands above the button. */
export default function Form({ submit, send, children }: FormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [problems, setProblems] = useState<Record<string, string>>({});
  const [general, setGeneral] = useState<string>();
  const [notice, setNotice] = useState<string>();
  const [busy, setBusy] = useState(false);
  const hydrated = useIsBrowser();

  useEffect(() => {
    for (const element of form.current!.elements) {
      if (isInput(element) && element.name in problems) return element.focus();
    }
  }, [problems]);

  async function onSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy) return;
    const element = event.currentTarget;
    const invalid = invalidInputs(element);
    setProblems(invalid);
    setGeneral(undefined);
    setNotice(undefined);
    if (Object.keys(invalid).length > 0) return;
    setBusy(true);
    try {
      const { problem, notice } = await send(Object.fromEntries(new FormData(element)) as Values);
      if (problem?.field && isInput(element.elements.namedItem(problem.field))) {
        setProblems({ [problem.field]: problem.message });
      } else {
        setGeneral(problem?.message);
      }
      setNotice(notice);
    } finally {
      setBusy(false);
    }
  }

  /** What is being corrected is no longer wrong, and what was saved is no longer what is shown. */
  function onChange(event: FormEvent<HTMLFormElement>) {
    const { name } = event.target as HTMLInputElement;
    setNotice(undefined);
    if (name in problems) setProblems(({ [name]: _, ...others }) => others);
  }

  // "post", and no submission before hydration: the browser's own one would put the password into the address.
  return (
    <form ref={form} method="post" noValidate onSubmit={onSubmit} onChange={onChange} aria-busy={busy}>
      <Problems value={problems}>{children}</Problems>
      <Message kind="danger">{general}</Message>
      <Message kind="success">{notice}</Message>
      <button type="submit" className="button button--primary button--block" disabled={!hydrated} aria-disabled={busy}>
        {busy ? 'One moment…' : submit}
      </button>
    </form>
  );
}

interface FieldProps {
  name: string;
  label: string;
  hint?: string;
  type?: 'text' | 'email' | 'password';
  required?: boolean;
  autoComplete?: string;
  maxLength?: number;
  /** The only values there are: then it is a select. */
  values?: readonly string[] | null;
  defaultValue?: string;
}

export function Field({ name, label, hint, type = 'text', values, maxLength, defaultValue = '', ...input }: FieldProps) {
  const id = useId();
  const problem = useContext(Problems)[name];
  const shared = {
    ...input,
    id,
    name,
    defaultValue,
    className: styles.input,
    'aria-invalid': problem !== undefined,
    'aria-describedby': [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(' ') || undefined,
  };
  // A value from before the rule was made is shown, not lost unseen.
  const options = values && defaultValue && !values.includes(defaultValue) ? [defaultValue, ...values] : values;
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {hint && <p id={`${id}-hint`} className={styles.hint}>{hint}</p>}
      {options ? (
        <select {...shared}>
          <option value="">Not said</option>
          {options.map((value) => <option key={value} value={value}>{labelOf(value)}</option>)}
        </select>
      ) : (
        <input {...shared} type={type} maxLength={maxLength} />
      )}
      {problem && <p id={`${id}-problem`} className={styles.problem}>{problem}</p>}
    </div>
  );
}

type UserFieldName = keyof typeof userFields;
export const userFieldNames = Object.keys(userFields) as UserFieldName[];

/** An input for each declared field of a user. */
export function UserFieldInputs({ values = {} }: { values?: Partial<Record<UserFieldName, string | null>> }) {
  return userFieldNames.map((name) => {
    const rules: { maxLength: number; values: readonly string[] | null } = userFieldRules[name];
    return (
      <Field
        key={name}
        name={name}
        label={labelOf(name)}
        required={userFields[name].required}
        maxLength={rules.maxLength}
        values={rules.values}
        defaultValue={values[name] ?? ''}
      />
    );
  });
}
