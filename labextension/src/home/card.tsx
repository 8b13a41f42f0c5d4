import * as React from 'react';

/** A frame with a heading. */
export function Card(props: {
  title: string;
  note?: React.ReactNode;
  children?: React.ReactNode;
}): JSX.Element {
  return (
    <section className="jk-Home-card" aria-label={props.title}>
      <div className="jk-Home-cardHead">
        <h2>{props.title}</h2>
        {props.note && <span className="jk-Home-note">{props.note}</span>}
      </div>
      {props.children}
    </section>
  );
}
