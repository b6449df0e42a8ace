#!/usr/bin/perl

# Each timeout of a provider: what the client gets and that the provider's
# connection is closed.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use IO::Socket::INET;
use Test::More;

needs_module();

my @events = @{ stream_events('one two three four five six seven eight') };
my $up = Upstream->start(
    stall => { fail => 'stall' },
    head_only => { events => \@events, cut => 0, then => 'stall',
        flush_head => 1 },
    stall_stream => { events => \@events, cut => 2, then => 'stall' },
    stall_body => { json => chat_answer('x' x 100), cut => 40,
        then => 'stall' },
    slow => { events => \@events, pace => 0.6 },
    steady => { events => \@events, pace => 0.4 },
);

# A port where connecting takes forever: its queue is full.
my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1',
    Proto => 'tcp') or die $!;
my @fill = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
    PeerPort => $full->sockport, Blocking => 0, Proto => 'tcp') } 1 .. 8;

my $http = zone()
    . provider(connect => openai => 'http://127.0.0.1:' . $full->sockport,
        'timeout connect=300ms;')
    . provider(stall => openai => $up->url('stall'),
        'timeout first_byte=300ms;')
    . provider(head_only => openai => $up->url('head_only'),
        'timeout idle=300ms;')
    . provider(stall_stream => openai => $up->url('stall_stream'),
        'timeout idle=2s;')
    . provider(stall_body => openai => $up->url('stall_body'),
        'timeout idle=300ms;')
    . provider(slow => openai => $up->url('slow'),
        'timeout total=3s idle=20s;')
    . provider(steady => openai => $up->url('steady'),
        'timeout first_byte=20s idle=3s total=60s;')
    . "log_format e '\$ai_proxy_provider \$status \$ai_proxy_error';\n";
my @names = $http =~ /ai_proxy_provider (\w+) \{/g;
my $gw = Gateway->start(http => $http, access_log => '',
    server => "access_log %%DIR%%/logs/access.log e;\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" } @names);

sub chat {
    my ($name, %fields) = @_;
    my $begin = Client::now();
    my $reply = $gw->client->post("/$name/v1/chat/completions",
        chat_body(%fields));
    $reply->{took} = Client::now() - $begin;
    return $reply;
}
my %stream = (stream => JSON::PP::true);
my $count = 0;
my $logged = sub { my @l = $gw->log_lines('access.log', ++$count); $l[-1] };

###############################################################################

SKIP: {
    my $reply = chat('connect');
    check_error($reply, 504, undef, 'connect');
    cmp_ok($reply->{took}, '<', 20, 'in time');
    is($logged->(), 'connect 504 timeout_connect', 'connect: in the log');
}

for my $fields ({}, \%stream) {
    my $what = %$fields ? 'streamed' : 'plain';
    my $reply = chat('stall', %$fields);
    my $error = check_error($reply, 504, undef, "first byte, $what");
    is($error->{type}, 'timeout_error', 'with its type');
    is($logged->(), 'stall 504 timeout_first_byte', 'in the log');
    is($up->wait_outcome('stall', 'client_closed')->{outcome},
        'client_closed', 'and the provider connection is closed');
}

check_error(chat('head_only', %stream), 504, undef,
    'idle before the first event: still an error status');
is($logged->(), 'head_only 504 timeout_idle', 'in the log');

check_error(chat('stall_body'), 504, undef, 'idle in a plain body');
is($logged->(), 'stall_body 504 timeout_idle', 'in the log');

my $reply = chat('stall_stream', %stream);
is($reply->{status}, 200, 'idle in mid-stream: the stream had begun');
is(Client::text($reply), 'one two ', 'what came was shown');
my @got = Client::events($reply);
is(scalar(grep { ref && $_->{error} } @got), 1, 'one error event');
unlike($reply->{body}, qr/\[DONE\]/, 'and no [DONE]');
is($logged->(), 'stall_stream 200 timeout_idle', 'in the log');
is($up->wait_outcome('stall_stream', 'client_closed')->{outcome},
    'client_closed', 'the provider connection is closed');

$reply = chat('slow', %stream);
is($reply->{status}, 200, 'total in mid-stream: the stream had begun');
cmp_ok($reply->{took}, '<', 20, 'and ends in time');
unlike($reply->{body}, qr/\[DONE\]/, 'without [DONE]');
is(scalar(grep { ref && $_->{error} } Client::events($reply)), 1,
    'with one error event');
is($logged->(), 'slow 200 timeout_total', 'in the log');

$reply = chat('steady', %stream);
check_stream($reply, undef,
    'a stream that lasts longer than idle is not cut');
cmp_ok($reply->{took}, '>', 3, 'though it lasted');

done($gw, $up);
