#!/usr/bin/perl

# A provider that says when to come again is asked then, not sooner, in every
# way of saying so; when that is too late, somebody else is asked at once.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use POSIX qw(setlocale strftime LC_TIME);
use Test::More;

needs_module();
setlocale(LC_TIME, 'C');

sub busy {
    my ($headers, $body) = @_;
    return { status => 429, headers => $headers,
        json => $body // { error => { message => 'slow down' } } };
}
# Google names the time in its error.
sub retry_info {
    my ($delay) = @_;
    return { error => { code => 429, message => 'quota',
        status => 'RESOURCE_EXHAUSTED', details => [
            { '@type' => 'type.googleapis.com/google.rpc.Help' },
            { '@type' => 'type.googleapis.com/google.rpc.RetryInfo',
              retryDelay => $delay } ] } };
}
sub http_date { return strftime '%a, %d %b %Y %H:%M:%S GMT', gmtime $_[0] }
sub rfc3339 { return strftime '%Y-%m-%dT%H:%M:%SZ', gmtime $_[0] }

# Name: header fields (a sub: of the moment), the least time in seconds, the
# body.  A date has whole seconds: two ahead are more than one.
my %form = (
    seconds => [[['Retry-After', '1']], 1],
    date => [sub { [['Retry-After', http_date($_[0] + 3)]] }, 1],
    ms => [[['retry-after-ms', '700']], 0.7],
    both => [[['Retry-After', '1'], ['retry-after-ms', '300']], 0.3],
    openai => [[['x-ratelimit-remaining-requests', '0'],
        ['x-ratelimit-reset-requests', '600ms'],
        ['x-ratelimit-remaining-tokens', '100'],
        ['x-ratelimit-reset-tokens', '6m0s']], 0.6],
    groq => [[['x-ratelimit-remaining-tokens', '0'],
        ['x-ratelimit-reset-tokens', '0.8s']], 0.8],
    anthropic => [sub { [['anthropic-ratelimit-requests-remaining', '0'],
        ['anthropic-ratelimit-requests-reset', rfc3339($_[0] + 3)]] }, 1],
    google => [[], 0.9, retry_info('0.9s')],
    nothing => [[], 0],
    nonsense => [[['Retry-After', 'soon']], 0],
    past => [[['Retry-After', 'Mon, 01 Jan 2001 00:00:00 GMT']], 0],
);
my @names = sort keys %form;
my %late = (
    late_seconds => busy([['Retry-After', '7200']]),
    late_ms => busy([['retry-after-ms', '7200000']]),
    late_reset => busy([['x-ratelimit-remaining-requests', '0'],
        ['x-ratelimit-reset-requests', '2h0m0s']]),
    late_google => busy([], retry_info('7200s')),
);
my $up = Upstream->start(
    (map { $_ => {} } @names), %late,
    other => { json => chat_answer('other') },
);

my $gw = Gateway->start(
    http => zone() . provider(other => openai => $up->url('other'))
        . join('', map {
            my $type = /google/ ? 'gemini' : 'openai';
            my $url = $up->url($_);
            provider($_ => $type => $url, 'key_cooldown off;')
                . "ai_proxy_route r_$_ {\n provider $_;\n"
                . " retry 1 backoff=1ms..2ms;\n"
                . (/late/ ? " fallback other;\n" : '') . "}\n"
        } @names, keys %late),
    server => join '', map { "location /$_/ { ai_proxy_pass r_$_; }\n" }
        @names, keys %late);

sub answer {
    my ($name) = @_;
    return { json => chat_answer('again') } if $name !~ /google/;
    return { json => { candidates => [{ content => { role => 'model',
        parts => [{ text => 'again' }] }, finishReason => 'STOP' }] } };
}

for my $name (@names) {
    my ($headers, $least, $body) = @{ $form{$name} };
    my $now = time;
    $headers = $headers->($now) if ref $headers eq 'CODE';
    $up->behave($name => [busy($headers, $body), answer($name)]);
    my $begin = Client::now();
    my $reply = $gw->client->post("/$name/v1/chat/completions", chat_body());
    my $took = Client::now() - $begin;
    is(Client::text($reply), 'again', "$name: another try is made");
    is(scalar(my @r = $up->requests($name)), 2, "$name: one");
    # The clock of the gateway and that of the test need not tick at once.
    cmp_ok($took, '>=', $least - 0.05, "$name: not before its time");
    cmp_ok($took, '<', $least + 8, "$name: and then at once");
}

for my $name (sort keys %late) {
    my $begin = Client::now();
    my $reply = $gw->client->post("/$name/v1/chat/completions", chat_body());
    is(Client::text($reply), 'other', "$name: nobody waits for so long");
    cmp_ok(Client::now() - $begin, '<', 8, "$name: the other is asked at once");
    is(scalar(my @r = $up->requests($name)), 1, "$name: and it is not again");
}

done($gw, $up);
