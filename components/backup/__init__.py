"""Backups of the site's files and database in object storage, and their restoration."""
