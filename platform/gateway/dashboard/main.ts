import { mount } from 'svelte';
import './page.css';
import Page from './page.svelte';

const target = document.getElementById('page');
if (target !== null) mount(Page, { target });
