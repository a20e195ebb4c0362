import React, { type ReactNode } from 'react';
import Layout from '@theme/Layout';
import styles from './AccountPage.module.css';

export default function AccountPage({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Layout title={title}>
      <main className={styles.page}>
        <h1>{title}</h1>
        {children}
      </main>
    </Layout>
  );
}
