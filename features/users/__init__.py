"""What is known of users besides their events: attributes and identities, each as of a date."""
