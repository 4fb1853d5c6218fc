"""What happens when a button is pressed or a menu is used."""
